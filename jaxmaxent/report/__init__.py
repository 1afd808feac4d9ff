"""The report of a run as one HTML page. It has a table of all anchors and logos at every β, and needs no other tool."""

from jaxmaxent.report._detail import Detail as Detail
from jaxmaxent.report._packed import Packed as Packed
from jaxmaxent.report._packed import pack_details as pack_details
from jaxmaxent.report._page import write_report as write_report
from jaxmaxent.report._rows import AnchorRow as AnchorRow
from jaxmaxent.report._rows import Picture as Picture
from jaxmaxent.report._rows import Setting as Setting
from jaxmaxent.report._rows import Table as Table

__all__ = ["AnchorRow", "Detail", "Packed", "Picture", "Setting", "Table", "pack_details", "write_report"]
