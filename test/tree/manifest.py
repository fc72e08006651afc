#!/usr/bin/env python3
"""Prints what a directory tree is made of: one canonical line per entry, so that two trees are equal exactly when
their manifests are.

    manifest.py DIR [--exclude NAME]... [--skip-xattr NAME]...

Needs Python 3.8 and nothing else (Debian's python3-minimal is enough); also runs from standard input
(`python3 - DIR < manifest.py`). It shares no code with dr-syncer, on purpose: it is how dr-syncer's result is judged.

Order: depth first, names of a directory sorted by their bytes, the tree's own directory first, as ".".
Line: path, then name=value fields, separated by tabs. Bytes outside printable ASCII, and backslashes, are \\xNN.

    type     file, dir, symlink, fifo, socket, char, block
    mode     permission bits in octal, with setuid, setgid and sticky
    uid gid  numbers
    mtime    seconds since 1970 and nanoseconds (rounded down to the second before the point, also before 1970)
    size     bytes (files only: the size of a directory says how its file system works, not what is in it)
    sparse   yes when there is a hole before the end (lseek(2), SEEK_HOLE)
    sha256   of the content
    target   of a symbolic link
    device   major:minor
    link     hard link: path of the first entry of the tree with the same inode; that one has no such field
    xattr:NAME  extended attribute, ACLs among them: hex up to 64 bytes, then length and sha256

The last line, "# entries=N bytes=N sha256=HEX", is the digest of all lines above; a manifest without it is cut off.
`bytes` counts each inode once. Exit status 1 when anything could not be read, or changed while it was read.

Run it as root: attributes of the namespace "trusted" are shown to CAP_SYS_ADMIN only (xattr(7)).
"""
import argparse
import errno
import hashlib
import os
import stat
import sys

CHUNK = 1 << 20
TYPES = {
    stat.S_IFREG: 'file',
    stat.S_IFDIR: 'dir',
    stat.S_IFLNK: 'symlink',
    stat.S_IFIFO: 'fifo',
    stat.S_IFSOCK: 'socket',
    stat.S_IFCHR: 'char',
    stat.S_IFBLK: 'block',
}


class TreeChanged(Exception):
    """What is being read is being written."""


def escape(raw, also=b''):
    """Bytes as printable ASCII; `also`: further bytes to escape."""
    return ''.join(
        chr(b) if 0x20 <= b < 0x7F and b != 0x5C and b not in also else '\\x%02x' % b for b in raw
    )


def walk(root, excluded):
    """Yields (path, name, lstat) of every entry. At each yield the working directory is the entry's own: names stay
    below NAME_MAX however deep the tree is, where a path could pass PATH_MAX."""
    os.chdir(root)
    yield b'.', b'.', os.lstat(b'.')
    above = []
    pending = [iter(sorted(n for n in os.listdir(b'.') if n not in excluded))]
    while pending:
        name = next(pending[-1], None)
        if name is None:
            pending.pop()
            if above:
                above.pop()
                os.chdir(b'..')
            continue
        info = os.lstat(name)
        yield b'/'.join(above + [name]), name, info
        if stat.S_ISDIR(info.st_mode):
            os.chdir(name)
            if not os.path.samestat(os.lstat(b'.'), info):
                raise TreeChanged
            above.append(name)
            pending.append(iter(sorted(os.listdir(b'.'))))


def read_content(name, info):
    """(sparse, sha256) of a file of the working directory."""
    # O_NONBLOCK: a fifo that has taken the file's place must not hang us.
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        sparse = info.st_size > 0 and os.lseek(fd, 0, os.SEEK_HOLE) < info.st_size
        os.lseek(fd, 0, os.SEEK_SET)
        digest = hashlib.sha256()
        while True:
            data = os.read(fd, CHUNK)
            if not data:
                break
            digest.update(data)
        after = os.fstat(fd)
    finally:
        os.close(fd)
    if (after.st_ino, after.st_size, after.st_mtime_ns) != (info.st_ino, info.st_size, info.st_mtime_ns):
        raise TreeChanged
    return 'yes' if sparse else 'no', digest.hexdigest()


def read_xattrs(name, skipped):
    """Fields of the extended attributes, sorted by name."""
    try:
        names = sorted(os.fsencode(n) for n in os.listxattr(name, follow_symlinks=False))
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return []
        raise
    fields = []
    for attribute in names:
        if attribute in skipped:
            continue
        value = os.getxattr(name, attribute, follow_symlinks=False)
        if len(value) <= 64:
            shown = value.hex()
        else:
            shown = '%d:sha256:%s' % (len(value), hashlib.sha256(value).hexdigest())
        fields.append('xattr:%s=%s' % (escape(attribute, also=b'='), shown))
    return fields


class Manifest:
    """Turns entries into lines, and keeps what only the whole tree can tell: links and totals."""

    def __init__(self, skipped_xattrs):
        self.skipped_xattrs = skipped_xattrs
        self.entries = 0
        self.bytes = 0
        # (device, inode) -> (path, content fields) of the first entry, for inodes with several names.
        self.linked = {}

    def line(self, path, name, info):
        kind = stat.S_IFMT(info.st_mode)
        seconds, nanoseconds = divmod(info.st_mtime_ns, 10**9)
        fields = [
            escape(path),
            'type=' + TYPES[kind],
            'mode=%04o' % stat.S_IMODE(info.st_mode),
            'uid=%d' % info.st_uid,
            'gid=%d' % info.st_gid,
            'mtime=%d.%09d' % (seconds, nanoseconds),
        ]
        if kind == stat.S_IFLNK:
            fields.append('target=' + escape(os.readlink(name)))
        elif kind in (stat.S_IFCHR, stat.S_IFBLK):
            fields.append('device=%d:%d' % (os.major(info.st_rdev), os.minor(info.st_rdev)))
        first = self.first_link(path, info)
        if first is not None:
            fields += first[1]
            fields.append('link=' + escape(first[0]))
        elif kind == stat.S_IFREG:
            content = self.content(name, info)
            fields += content
            if info.st_nlink > 1:
                self.linked[(info.st_dev, info.st_ino)] = (path, content)
        fields += read_xattrs(name, self.skipped_xattrs)
        self.entries += 1
        return '\t'.join(fields)

    def first_link(self, path, info):
        if info.st_nlink < 2 or stat.S_ISDIR(info.st_mode):
            return None
        key = (info.st_dev, info.st_ino)
        first = self.linked.get(key)
        if first is None and not stat.S_ISREG(info.st_mode):
            self.linked[key] = (path, [])
        return first

    def content(self, name, info):
        sparse, digest = read_content(name, info)
        self.bytes += info.st_size
        return ['size=%d' % info.st_size, 'sparse=' + sparse, 'sha256=' + digest]


def options():
    parser = argparse.ArgumentParser(description='Print a canonical manifest of a directory tree.')
    parser.add_argument('dir', type=os.fsencode)
    parser.add_argument(
        '--exclude', metavar='NAME', type=os.fsencode, action='append', default=[],
        help='leave out this entry of DIR itself, such as lost+found',
    )
    parser.add_argument(
        '--skip-xattr', metavar='NAME', type=os.fsencode, action='append', default=[],
        help='leave out this extended attribute, such as security.selinux',
    )
    return parser.parse_args()


def main():
    chosen = options()
    manifest = Manifest(set(chosen.skip_xattr))
    digest = hashlib.sha256()
    path = b'.'
    try:
        for path, name, info in walk(chosen.dir, set(chosen.exclude)):
            line = (manifest.line(path, name, info) + '\n').encode('ascii')
            digest.update(line)
            sys.stdout.buffer.write(line)
    except (OSError, TreeChanged) as error:
        reason = error.strerror if isinstance(error, OSError) else 'changed while it was read'
        sys.stdout.flush()
        sys.stderr.write('manifest.py: at or below %s: %s\n' % (escape(path), reason))
        return 1
    summary = '# entries=%d bytes=%d sha256=%s\n' % (manifest.entries, manifest.bytes, digest.hexdigest())
    sys.stdout.buffer.write(summary.encode('ascii'))
    sys.stdout.flush()
    return 0


if __name__ == '__main__':
    sys.exit(main())
