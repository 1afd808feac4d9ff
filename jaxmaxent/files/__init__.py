"""Output that appears under its final name whole or not at all, and never in the place of somebody else's files."""

from jaxmaxent.files.locks import Busy as Busy
from jaxmaxent.files.locks import held as held
from jaxmaxent.files.manifest import HIDDEN as HIDDEN
from jaxmaxent.files.manifest import MANIFEST as MANIFEST
from jaxmaxent.files.manifest import entries as entries
from jaxmaxent.files.manifest import read_manifest as read_manifest
from jaxmaxent.files.places import Refused as Refused
from jaxmaxent.files.places import belongings as belongings
from jaxmaxent.files.places import lies_inside as lies_inside
from jaxmaxent.files.places import named as named
from jaxmaxent.files.places import owned as owned
from jaxmaxent.files.places import refusing as refusing
from jaxmaxent.files.places import resolved as resolved
from jaxmaxent.files.places import to_read as to_read
from jaxmaxent.files.publish import new_file as new_file
from jaxmaxent.files.publish import new_folder as new_folder
from jaxmaxent.files.sync import PARTIAL as PARTIAL
from jaxmaxent.files.sync import write_whole as write_whole
