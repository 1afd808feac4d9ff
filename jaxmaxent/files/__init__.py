"""Safe output: a file or folder appears under its final name whole or not at all; files of others stay."""

from jaxmaxent.files._locks import Busy as Busy
from jaxmaxent.files._locks import held as held
from jaxmaxent.files._manifest import HIDDEN as HIDDEN
from jaxmaxent.files._manifest import MANIFEST as MANIFEST
from jaxmaxent.files._manifest import entries as entries
from jaxmaxent.files._manifest import read_manifest as read_manifest
from jaxmaxent.files._mapped import mapped as mapped
from jaxmaxent.files._places import Refused as Refused
from jaxmaxent.files._places import belongings as belongings
from jaxmaxent.files._places import lies_inside as lies_inside
from jaxmaxent.files._places import named as named
from jaxmaxent.files._places import owned as owned
from jaxmaxent.files._places import refusing as refusing
from jaxmaxent.files._places import resolved as resolved
from jaxmaxent.files._places import to_read as to_read
from jaxmaxent.files._publish import new_file as new_file
from jaxmaxent.files._publish import new_folder as new_folder
from jaxmaxent.files._sync import PARTIAL as PARTIAL
from jaxmaxent.files._sync import link_or_copy as link_or_copy
from jaxmaxent.files._sync import write_whole as write_whole
