"""The HTTP service: `app.create_app` makes it of a bundle and a database, `running.run` serves it."""
