"""Converters: data sets as they are published, and a user's own file, as RecBole's atomic files with text and feedback.

`convert` is the door; `conversion.KINDS` lists the kinds, whose modules say what they read and how it is mapped. Needs neither
RecBole nor torch.
"""

from recbole_llmfb.convert.conversion import KINDS, convert
from recbole_llmfb.convert.options import Options
from recbole_llmfb.convert.report import Report

__all__ = ["KINDS", "Options", "Report", "convert"]
