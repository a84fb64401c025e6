#!/bin/sh
# The first process of the machine that plays a KVM host: takes the root of the machine outside, read-only, lays memory over it, and
# goes there (host.sh). The kernel's command line says where the project is, and the modules of this kernel.
PATH=/bin
export PATH

mount -t proc proc /proc
while read -r module; do insmod "/modules/$module"; done < /modules/order

project=
for word in $(cat /proc/cmdline); do
  case $word in unipath.project=*) project=${word#*=} ;; esac
done

mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose outside /outside
mount -t tmpfs tmpfs /memory
mkdir /memory/changes /memory/work
mount -t overlay -o "lowerdir=/outside,upperdir=/memory/changes,workdir=/memory/work" overlay /host
umount /proc
exec switch_root /host /bin/sh "$project/src/lab/sriov/host.sh"
