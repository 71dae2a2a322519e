"""The emulated network: planned as a topology, built from Mininet's nouns over netlink, and read back.

topology     Topo with roles, addresses and routes
build        builds a network, reads it back, and says what was changed since
node, link   Mininet's nouns over netlink
namespace    network namespaces; those of clients are fenced
"""

from testbed.guest.network.distutils_version import import_mininet

import_mininet()
