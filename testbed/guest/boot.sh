#!/bin/sh
# The guest's init: mounts, then the agent. What the agent and its programs find is the same in every run, whatever the host's
# paths and environment are: a variable more, and every key in the run is another (see testbed/engine/prepare/guest_code.py).
set -e
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# The path of a hostfs is no option with a name: newer versions of mount pass such a one on only in the old way.
LIBMOUNT_FORCE_MOUNT2=always mount -T "${0%/*}/boot.fstab" -a
mkdir -p /run/tmp /run/lock
cd /run/tmp
# Pages given back to the kernel have to be faulted in again, and here a fault is dear: keep what malloc has.
# TZ: unset, every conversion of a time would look for /etc/localtime.
exec env -i PATH="$PATH" HOME=/run/tmp TMPDIR=/run/tmp LC_ALL=C.UTF-8 TZ=UTC OPENSSL_CONF=/run/output/etc/openssl.cnf \
	MALLOC_TRIM_THRESHOLD_=268435456 MALLOC_MMAP_THRESHOLD_=268435456 MALLOC_TOP_PAD_=1048576 MALLOC_ARENA_MAX=1 \
	PYTHONPATH=/run/testbed/code/start.zip PYTHONHASHSEED=0 \
	SETUPTOOLS_USE_DISTUTILS="$TESTBED_DISTUTILS" \
	"/run/testbed/python/$TESTBED_PYTHON" -S -s -B -W ignore -m start
