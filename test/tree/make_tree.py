#!/usr/bin/env python3
"""Makes a directory tree with everything in it that a copy can lose, or changes a little of it.

    make_tree.py DIR [--size-mb 300] [--small-files 2000] [--seed 1]
    make_tree.py DIR --change [--seed 2]

The same options make the same tree, to the nanosecond and byte. DIR has to be empty (but for lost+found) or hold an
earlier tree, which is replaced. Needs root with CHOWN, DAC_OVERRIDE, FOWNER and FSETID, Python 3.9 and nothing else
(Debian's python3-minimal is enough); also runs from standard input.

Prints what was done as name=value lines. For --change: `transfers` is the number of files with other content, new ones
included; `changed_bytes` what is different in them; `touched_bytes` their whole size.

Not made, because an unprivileged container can't: device nodes, file capabilities, attributes of "trusted".
"""
import argparse
import hashlib
import os
import random
import stat
import struct
import sys

MIB = 1 << 20
MARKER = b'demo-tree.txt'
LOST_FOUND = b'lost+found'
# 2023-11-14; times of entries follow from their paths and lie in the 115 days after it.
EPOCH = 1_700_000_000
SPAN = 10_000_000
MEDIUM_FILES = 8
# Shares of the big files in what the other files leave over.
BIG_SHARES = (0.4, 0.3, 0.2, 0.1)
# The last ones: a range as OpenShift gives to namespaces, and one that is negative as a signed 32-bit number.
OWNERS = ((1001, 2001), (2002, 3003), (65534, 65534), (1000690000, 1000690000), (4000000000, 4000000001))
NAMES = (
    b'with space', b' space at both ends ', b'new\nline', b'tab\there', b'carriage\rreturn', b'double"quote',
    b"single'quote", b'back\\slash', b'trailing\\', b'star*', b'what?', b'[a-z]', b'{brace,expansion}', b'-rf',
    b'--delete', b'$(touch pwned)', b'`id`', b'a;b|c&d', b'$HOME', b'~', b'#hash#', b'%n%s', b'host:path',
    b'.hidden', b'..two dots', b'...', b'\x01\x1b[31m\x7f', b'not utf-8 \xff\xfe\xc3(', 'käse 日本 🙂'.encode(),
    'cafe\u0301'.encode(), 'caf\u00e9'.encode(), b'n' * 255,
)


def generator(seed, label):
    return random.Random('%d:%s' % (seed, label))


def pieces(rng, size):
    while size > 0:
        step = min(size, MIB)
        yield rng.randbytes(step)
        size -= step


def write_file(path, chunks, mode=0o644):
    with open(path, 'wb') as out:
        for chunk in chunks:
            out.write(chunk)
    os.chmod(path, mode)


def acl(entries, owner, group, mask, other):
    """Value of system.posix_acl_*; entries: ('u' or 'g', id, permissions). Layout: linux/posix_acl_xattr.h"""
    none = 0xFFFFFFFF
    users = sorted((0x02, bits, who) for kind, who, bits in entries if kind == 'u')
    groups = sorted((0x08, bits, who) for kind, who, bits in entries if kind == 'g')
    rows = [(0x01, owner, none), *users, (0x04, group, none), *groups, (0x10, mask, none), (0x20, other, none)]
    return struct.pack('<I', 2) + b''.join(struct.pack('<HHI', *row) for row in rows)


class Maker:
    """Makes the tree below `root`, one kind of thing a method."""

    def __init__(self, root, seed, size, small_files):
        self.root = root
        self.seed = seed
        self.size = size
        self.small_files = small_files

    def path(self, *names):
        return os.path.join(self.root, *names)

    def directory(self, *names, mode=0o755):
        made = self.path(*names)
        os.mkdir(made)
        os.chmod(made, mode)
        return made

    def file(self, path, size=None, mode=0o644):
        """Random content; without a size: up to 8 KiB."""
        rng = generator(self.seed, os.path.relpath(path, self.root).hex())
        write_file(path, pieces(rng, rng.randrange(1, 8192) if size is None else size), mode)
        return path

    def make(self):
        # What is made below must not inherit from an earlier tree, or from a volume that kubelet has given a group.
        os.chown(self.root, 0, 0)
        os.chmod(self.root, 0o755)
        for attribute in os.listxattr(self.root):
            if attribute.startswith(('user.', 'system.posix_acl_')):
                os.removexattr(self.root, attribute)
        self.bulk()
        self.links()
        self.attributes()
        self.lists()
        self.sparse()
        self.permissions()
        self.names()
        self.shapes()
        write_file(self.path(MARKER), [b'Made by make_tree.py; it may replace everything here.\n'])
        self.times()
        # The directory itself is part of the volume, and peers are known to lose its owner and setgid bit.
        os.chown(self.root, 1001, 2001)
        os.chmod(self.root, 0o2775)
        os.utime(self.root, ns=(0, EPOCH * 10**9 + 1))

    def bulk(self):
        small = self.directory(b'small')
        used = 0
        for number in range(self.small_files):
            if number % 100 == 0:
                os.mkdir(os.path.join(small, b'%03d' % (number // 100)))
            made = self.file(os.path.join(small, b'%03d' % (number // 100), b'%05d.dat' % number))
            used += os.path.getsize(made)
        medium = self.directory(b'medium')
        each = min(MIB, self.size // 32)
        for number in range(MEDIUM_FILES):
            self.file(os.path.join(medium, b'%d.bin' % number), each)
        big = self.directory(b'big')
        left = max(self.size - used - MEDIUM_FILES * each, 0)
        for number, share in enumerate(BIG_SHARES):
            # An odd size, so that the end of the file is not the end of a block.
            self.file(os.path.join(big, b'%d.bin' % number), int(left * share) | 1)

    def links(self):
        base = self.directory(b'links')
        here = self.directory(b'links', b'here')
        there = self.directory(b'links', b'there')
        first = self.file(os.path.join(here, b'pair'))
        os.link(first, os.path.join(there, b'pair'))
        first = self.file(os.path.join(here, b'many'), 100_000)
        for number in range(20):
            os.link(first, os.path.join(there, b'many-%02d' % number))
        targets = {
            b'relative': b'here/pair', b'upwards': b'../medium/0.bin', b'to-directory': b'../small',
            b'absolute': b'/etc/hostname', b'dangling': b'no/such/file', b'loop': b'loop',
            b'odd': b'new\nline \xff', b'outside': b'../../../../../../etc/shadow', b'long': b'x/' * 1000 + b'x',
        }
        for name, target in targets.items():
            os.symlink(target, os.path.join(base, name))
        os.lchown(os.path.join(base, b'dangling'), 1001, 2001)

    def attributes(self):
        base = self.directory(b'xattrs')
        values = {b'text': b'value', b'empty': b'', b'binary': bytes(range(256)), b'large': b'v' * 3000}
        for name, value in values.items():
            os.setxattr(self.file(os.path.join(base, name)), b'user.' + name, value)
        several = self.file(os.path.join(base, b'several'))
        for name in (b'user.a', b'user.b.c', 'user.\u00fc'.encode(), b'user.with=equals'):
            os.setxattr(several, name, name)
        os.setxattr(base, b'user.on-directory', b'yes')

    def lists(self):
        base = self.directory(b'acls')
        file = self.file(os.path.join(base, b'file'))
        os.setxattr(file, 'system.posix_acl_access', acl([('u', 1001, 6), ('g', 2001, 4)], 6, 4, 6, 0))
        masked = self.file(os.path.join(base, b'masked'))
        os.setxattr(masked, 'system.posix_acl_access', acl([('u', 1002, 7), ('u', 1001, 7)], 7, 5, 1, 0))
        inherited = self.directory(b'acls', b'inherited', mode=0o770)
        default = acl([('u', 1001, 7), ('g', 3003, 5)], 7, 5, 7, 0)
        os.setxattr(inherited, 'system.posix_acl_default', default)
        os.setxattr(inherited, 'system.posix_acl_access', acl([('g', 3003, 5)], 7, 7, 7, 0))
        self.file(os.path.join(inherited, b'file'), mode=0o640)
        os.mkdir(os.path.join(inherited, b'below'))

    def sparse(self):
        base = self.directory(b'sparse')
        path = os.path.join(base, b'islands')
        write_file(path, [])
        size = 64 * MIB
        os.truncate(path, size)
        rng = generator(self.seed, 'islands')
        with open(path, 'r+b') as out:
            for offset in (0, 20 * MIB + 123, size - 5000):
                out.seek(offset)
                out.write(rng.randbytes(5000))
        path = os.path.join(base, b'hole')
        write_file(path, [])
        os.truncate(path, MIB + 1)

    def permissions(self):
        base = self.directory(b'permissions')
        shared = self.directory(b'permissions', b'setgid')
        os.chown(shared, 1001, 2001)
        os.chmod(shared, 0o2775)
        self.file(os.path.join(shared, b'takes the group'))
        os.mkdir(os.path.join(shared, b'takes the bit'))
        sticky = self.directory(b'permissions', b'sticky', mode=0o1777)
        self.file(os.path.join(sticky, b'file'))
        closed = self.directory(b'permissions', b'closed')
        self.file(os.path.join(closed, b'inside'), mode=0o000)
        os.chmod(closed, 0o000)
        for mode in (0o000, 0o400, 0o444, 0o600, 0o777):
            self.file(os.path.join(base, b'%04o' % mode), mode=mode)
        # chown(2) clears setuid and setgid, so a copy has to set owner and mode in this order too.
        for mode in (0o4755, 0o2755, 0o6711):
            special = self.file(os.path.join(base, b'%04o' % mode))
            os.chown(special, 1001, 2001)
            os.chmod(special, mode)
        owners = self.directory(b'permissions', b'owners')
        for uid, gid in OWNERS:
            owned = self.file(os.path.join(owners, b'%d-%d' % (uid, gid)), mode=0o640)
            os.chown(owned, uid, gid)

    def names(self):
        base = self.directory(b'names')
        for name in NAMES:
            self.file(os.path.join(base, name))
            inner = self.directory(b'names', b'd' + name[:254])
            self.file(os.path.join(inner, b'file'))
        self.file(self.path(b'new\nline at the top'))
        self.file(self.path(b'-dash at the top'))

    def shapes(self):
        base = self.directory(b'shapes')
        os.mkdir(os.path.join(base, b'empty directory'))
        write_file(os.path.join(base, b'empty file'), [])
        os.mkfifo(os.path.join(base, b'fifo'))
        os.chmod(os.path.join(base, b'fifo'), 0o620)
        deep = base
        for level in range(60):
            deep = os.path.join(deep, b'a rather long name for a directory, level %02d' % level)
            os.mkdir(deep)
        self.file(os.path.join(deep, b'bottom'))

    def times(self):
        """Deepest first: making an entry has changed the time of its directory."""
        for directory, names, files in os.walk(self.root, topdown=False):
            for name in sorted(names + files):
                path = os.path.join(directory, name)
                if os.path.relpath(path, self.root) == LOST_FOUND:
                    continue
                key = hashlib.sha256(os.path.relpath(path, self.root)).digest()
                seconds = EPOCH + int.from_bytes(key[:8], 'big') % SPAN
                when = seconds * 10**9 + int.from_bytes(key[8:16], 'big') % 10**9
                os.utime(path, ns=(when, when), follow_symlinks=False)


class Changer:
    """Changes about 10 MiB of a tree, and little things that a lazy comparison misses."""

    def __init__(self, root, seed):
        self.root = root
        self.seed = seed
        self.changed = 0
        self.touched = 0
        self.transfers = 0

    def change(self):
        for number in range(5):
            self.overwrite((b'medium', b'%d.bin' % number), share=1, most=MIB)
        for number in range(2):
            self.overwrite((b'big', b'%d.bin' % number), share=0.25, most=5 * MIB // 2)
        self.add()
        smalls = self.smalls()
        os.unlink(smalls[0])
        self.same_second(smalls[1])
        mode = stat.S_IMODE(os.lstat(smalls[2]).st_mode)
        os.chmod(smalls[2], mode ^ 0o040)

    def overwrite(self, names, share, most):
        """In place, `share` of the file, at most `most` bytes, from a third of the rest on."""
        path = os.path.join(self.root, *names)
        size = os.path.getsize(path)
        length = min(int(size * share), most)
        with open(path, 'r+b') as out:
            out.seek((size - length) // 3)
            for chunk in self.content(path, length):
                out.write(chunk)
        self.count(length, size)

    def add(self):
        path = os.path.join(self.root, b'medium', b'added-%d.bin' % self.seed)
        size = 65_537
        write_file(path, self.content(path, size))
        os.chown(path, 1001, 2001)
        self.count(size, size)

    def same_second(self, path):
        """Other content, same size, same second: only a comparison by the nanosecond sees it."""
        info = os.lstat(path)
        with open(path, 'r+b') as out:
            for chunk in self.content(path, info.st_size):
                out.write(chunk)
        seconds, nanoseconds = divmod(info.st_mtime_ns, 10**9)
        later = seconds * 10**9 + (nanoseconds + 1) % 10**9
        os.utime(path, ns=(later, later))
        self.count(info.st_size, info.st_size)

    def content(self, path, size):
        return pieces(generator(self.seed, 'change:' + os.path.relpath(path, self.root).hex()), size)

    def smalls(self):
        base = os.path.join(self.root, b'small')
        found = [os.path.join(d, f) for d, _, files in os.walk(base) for f in files]
        if len(found) < 3:
            raise SystemExit('make_tree.py: fewer than three files are left in small')
        return sorted(found)

    def count(self, changed, touched):
        self.changed += changed
        self.touched += touched
        self.transfers += 1


def clear(root):
    """Removes an earlier tree of ours."""
    present = [name for name in os.listdir(root) if name != LOST_FOUND]
    if present and MARKER not in present:
        raise SystemExit('make_tree.py: the directory is not empty and was not made by this program')
    for directory, names, files in os.walk(root, topdown=False):
        for name in names + files:
            path = os.path.join(directory, name)
            if os.path.relpath(path, root) == LOST_FOUND:
                continue
            if stat.S_ISDIR(os.lstat(path).st_mode):
                os.rmdir(path)
            else:
                os.unlink(path)


def options():
    parser = argparse.ArgumentParser(description='Make a directory tree that is hard to copy.')
    parser.add_argument('dir', type=os.fsencode)
    parser.add_argument('--size-mb', type=int, default=300, help='MiB of data, about')
    parser.add_argument('--small-files', type=int, default=2000)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--change', action='store_true', help='change an existing tree')
    return parser.parse_args()


def main():
    chosen = options()
    os.umask(0o022)
    if chosen.change:
        if not os.path.exists(os.path.join(chosen.dir, MARKER)):
            raise SystemExit('make_tree.py: nothing made by this program is here')
        changer = Changer(chosen.dir, chosen.seed)
        changer.change()
        print('transfers=%d' % changer.transfers)
        print('changed_bytes=%d' % changer.changed)
        print('touched_bytes=%d' % changer.touched)
    else:
        clear(chosen.dir)
        Maker(chosen.dir, chosen.seed, chosen.size_mb * MIB, chosen.small_files).make()
        print('size_mb=%d' % chosen.size_mb)
    # The data has to be there after a power cut, and the copy must not compete with writing it back.
    os.sync()


if __name__ == '__main__':
    main()
