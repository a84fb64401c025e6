#!/bin/sh
# The machine that plays a KVM host, from its own root on: file systems, modules of its own kernel, and a shell on the second serial
# line for as long as it lives. The first one has the kernel's log.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
export PATH HOME

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
# What runs outside does not run here.
mount -t tmpfs tmpfs /run
mount -t bpf bpf /sys/fs/bpf
mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing

modules=
for word in $(cat /proc/cmdline); do
  value=${word#*=}
  case $word in
    unipath.name=*) hostname "$value" ;;
    unipath.modules=*) modules=$value ;;
  esac
done
mkdir -p /lib/modules
ln -sfn "$modules" "/lib/modules/$(uname -r)"
ip link set dev lo up

# Bytes as they are, but for ^C, which ends what takes too long. The loop: a shell that ends must not take the machine with it.
while :; do
  setsid -c /bin/sh -c 'stty raw -echo isig clocal && PS1= PS2= exec /bin/sh -i' < /dev/ttyS1 > /dev/ttyS1 2>&1
done
