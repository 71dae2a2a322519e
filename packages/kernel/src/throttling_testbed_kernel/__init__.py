"""The kernel that throttling-testbed runs its networks on, in a folder named by the hash of what it is made from.

Nothing here is to be imported: `testbed kernel info` says which kernel is used. SPDX-License-Identifier: GPL-2.0-only
"""
