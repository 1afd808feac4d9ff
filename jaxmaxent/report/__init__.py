"""A run as one HTML page that opens from disk: warnings, a table of the anchors, settings, logos and other pictures."""

from jaxmaxent.report._page import Picture as Picture
from jaxmaxent.report._page import write_report as write_report
