#!/bin/bash
# A machine with Debian's own kernel, to try the engine `native` where this one's kernel lacks what that needs.
#
#   benchmarks/debian_machine.sh FOLDER COMMAND [ARGUMENT...]
#
# qemu computes all its instructions (no virtualisation is needed), and its clock counts them: one takes a nanosecond,
# and where all wait, the clock jumps: by an hour, while a program is read from this machine's files, so that its first
# guest is ready late (native_engine.py makes a run before those that count). Otherwise the machine is as idle as a
# machine can be, however busy this one is. Its root is this machine's, read-only, with memory over it; the command
# runs in the current folder, as root, and may write to /tmp/out, which is FOLDER. What it prints is FOLDER/printed;
# the exit status is its own.
#
# Needs Debian 12 or 13, qemu-system-x86, kmod and cpio. Kernel and busybox are fetched by apt-get and kept in FOLDER.
set -eu
mkdir -p "$1"
folder=$(realpath "$1")
shift
machine=$folder/machine

if [ ! -e "$machine/initrd" ]; then
    mkdir -p "$machine/packages" "$machine/init/bin" "$machine/init/modules"
    kernel=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[^ ]*\).*/\1/p' | head -n 1)
    (cd "$machine/packages" && apt-get download "$kernel" busybox-static)
    for package in "$machine"/packages/*.deb; do dpkg-deb -x "$package" "$machine/system"; done
    release=$(basename "$machine"/system/boot/vmlinuz-* | sed 's/vmlinuz-//')
    [ -d "$machine/system/lib/modules" ] || ln -s usr/lib "$machine/system/lib"
    /sbin/depmod -b "$machine/system" "$release"
    cp "$(find "$machine/system" -path '*bin/busybox' -type f | head -n 1)" "$machine/init/bin/"
    number=10
    for module in virtio_pci 9pnet_virtio 9p overlay; do
        /sbin/modprobe -d "$machine/system" -S "$release" --show-depends "$module"
    done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r file; do
        cp "$file" "$machine/init/modules/$number-$(basename "$file")"
        number=$((number + 1))
    done
    cat > "$machine/init/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mkdir -p /proc /sys /dev /low /over /root
mount -t proc proc /proc && mount -t sysfs sysfs /sys && mount -t devtmpfs dev /dev
for module in /modules/*; do
    case $module in
        *.xz) unxz -c "$module" > /module && insmod /module ;;
        *) insmod "$module" ;;
    esac
done
mount -t 9p -o ro,trans=virtio,version=9p2000.L,cache=loose,msize=512000 host /low
mount -t tmpfs over /over && mkdir /over/upper /over/work
mount -t overlay -o lowerdir=/low,upperdir=/over/upper,workdir=/over/work over /root
mount -t proc proc /root/proc && mount -t sysfs sysfs /root/sys && mount -t devtmpfs dev /root/dev
mkdir -p /root/dev/pts /root/dev/shm /root/tmp/out
mount -t devpts devpts /root/dev/pts && mount -t tmpfs shm /root/dev/shm && mount -t tmpfs run /root/run
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 out /root/tmp/out
mkdir -p /root/lib/modules && mount --bind /root/tmp/out/machine/system/lib/modules /root/lib/modules
ip link set lo up
exec switch_root /root /bin/bash /tmp/out/machine/first
INIT
    chmod +x "$machine/init/init"
    (cd "$machine/init" && find . | cpio -o -H newc --quiet) > "$machine/initrd"
fi

{
    echo "export PATH=$(printf %q "$PATH"):/usr/sbin:/sbin LC_ALL=C.UTF-8 HOME=/root PYTHONPATH=$(printf %q "${PYTHONPATH-}")"
    echo "hostname machine; cd $(printf %q "$PWD")"
    echo "setsid $(printf '%q ' "$@") > /tmp/out/printed 2>&1; echo \$? > /tmp/out/status"
    echo "sync; echo o > /proc/sysrq-trigger; sleep 60"
} > "$machine/first"
rm -f "$folder/printed" "$folder/status"
qemu-system-x86_64 -machine q35 -accel tcg -icount shift=0,sleep=off -m 3072 -display none -no-reboot -nodefaults \
    -serial "file:$machine/console" -append "console=ttyS0 quiet panic=1" \
    -kernel "$(echo "$machine"/system/boot/vmlinuz-*)" -initrd "$machine/initrd" \
    -virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap \
    -virtfs "local,path=$folder,mount_tag=out,security_model=none"
cat "$folder/printed"
exit "$(cat "$folder/status")"
