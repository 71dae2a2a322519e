#!/bin/sh
# The guest's init: mounts, then the agent. The root file system is the host's, read-only; $TESTBED_OUTPUT alone is writable.
set -e
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs -o mode=755 tmpfs /run
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm /run/output /run/testbed /run/tmp /run/lock
mount -t devpts -o ptmxmode=666 devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t hostfs -o "$TESTBED_OUTPUT" none /run/output
export HOME=/run/tmp TMPDIR=/run/tmp
# Pages given back to the kernel have to be faulted in again, and here a fault is dear: keep what malloc has.
export TZ=UTC  # unset, every conversion of a time would look for /etc/localtime
export MALLOC_TRIM_THRESHOLD_=268435456 MALLOC_MMAP_THRESHOLD_=268435456 MALLOC_TOP_PAD_=1048576 MALLOC_ARENA_MAX=1
cd /run/tmp
exec "$TESTBED_PYTHON" -W ignore -m testbed.world.agent
