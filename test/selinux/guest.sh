# What the machine of `make test-selinux` does: SELinux with Debian's policy, enforcing, then the checks.
mount -t selinuxfs selinuxfs /sys/fs/selinux
load_policy -i
# V8 makes memory that can be written and executed.
setsebool allow_execmem 1
modprobe -a ext4 virtio_blk
setenforce 1
echo "guest: $(getenforce), as $(cat /proc/self/attr/current | tr -d '\0')"
node /run/repo/test/dist/selinux/guest.js 2>&1
echo "guest: ended with $?"
