"""One HTML page that lets a reader judge a run without further tools: its warnings, numbers, settings and pictures."""

from jaxmaxent.report._page import write_report as write_report
from jaxmaxent.report._rows import AnchorRow as AnchorRow
from jaxmaxent.report._rows import Picture as Picture
from jaxmaxent.report._rows import Setting as Setting

__all__ = ["AnchorRow", "Picture", "Setting", "write_report"]
