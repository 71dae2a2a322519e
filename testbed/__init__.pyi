from testbed.api import Result as Result
from testbed.api import Transfer as Transfer
from testbed.api import load as load
from testbed.api import run as run
