"""Running trainings: a worker takes jobs from a queue (huey), runs each as a process, and writes down how far it is.

The table `job` is the truth. The queue only says that there is something to look at: what gets lost in it is sent again, and what
is in it twice is taken once.
"""
