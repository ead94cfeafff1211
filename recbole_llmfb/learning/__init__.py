"""The loop closes: what people said becomes a better model, and never a worse one.

`exporting` turns the log into files, `data` splits them by time, `warm` trains a challenger from the champion, `judging` scores
both on the same cases, `gate` decides, and `learn` is all of it. `versions` has the way back, and `jobs` runs it as a process.
`trust` bounds what one user, or a crowd of new accounts, can teach, and finds what a person should look at first.
"""
