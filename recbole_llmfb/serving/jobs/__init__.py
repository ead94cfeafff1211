"""Trainings as the table `job` has them: asked for, looked at, cancelled. Who runs them is elsewhere (`learning.jobs`)."""

from recbole_llmfb.serving.jobs.asking import DEFAULT_TIMEOUT, Job, JobDetail, JobPage, Jobs

__all__ = ["DEFAULT_TIMEOUT", "Job", "JobDetail", "JobPage", "Jobs"]
