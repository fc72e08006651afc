import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  lchownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

const WHEN = 1_000_000_000;

/** Fills an empty directory with one of everything that a copy can lose. Takes root. */
export function makeTree(root: string): void {
  const at = (name: string): string => join(root, name);
  const file = (name: string, mode: number, uid = 1001, gid = 2001): void => {
    writeFileSync(at(name), `content of ${name}\n`);
    lchownSync(at(name), uid, gid);
    chmodSync(at(name), mode);
  };
  const run = (program: string, ...args: string[]): void => void execFileSync(program, args);

  file('plain', 0o644);
  file('script', 0o755, 1002, 2002);
  file('mode-000', 0o000);
  file('setuid-6755', 0o6755, 1003, 2003);
  file('setgid-2664', 0o2664, 1003, 2003);
  file('openshift', 0o640, 1000690000, 1000690000);
  file('negative-as-int32', 0o644, 4_000_000_000, 4_000_000_001);
  for (const name of ['new\nline', ' blanks ', '-rf', 'back\\slash', 'star*', 'käse 日本']) file(name, 0o644);
  writeFileSync(Buffer.concat([Buffer.from(`${root}/not-utf8-`), Buffer.from([0xff, 0xfe])]), 'x');

  mkdirSync(at('shared'));
  file('shared/by-group', 0o660, 1004, 2004);
  lchownSync(at('shared'), 1004, 2004);
  chmodSync(at('shared'), 0o2770);
  mkdirSync(at('read-only-dir'));
  file('read-only-dir/inside', 0o444);
  lchownSync(at('read-only-dir'), 1005, 2005);
  chmodSync(at('read-only-dir'), 0o555);
  mkdirSync(at('sticky'));
  chmodSync(at('sticky'), 0o1777);
  mkdirSync(at('empty'));

  linkSync(at('plain'), at('shared/hard-link'));
  symlinkSync('no/such/file', at('dangling'));
  lchownSync(at('dangling'), 1006, 2006);
  symlinkSync('../../../../etc/shadow', at('outside'));
  writeFileSync(at('sparse'), 'begin');
  truncateSync(at('sparse'), 16 << 20);

  run('mknod', at('char-device'), 'c', '1', '3');
  run('mknod', at('block-device'), 'b', '7', '0');
  run('mkfifo', '-m', '640', at('fifo'));
  run('python3', '-c', 'import socket,sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])', at('socket'));

  file('attributes', 0o644);
  run('setfattr', '-n', 'user.note', '-v', 'kept', at('attributes'));
  run('setfattr', '-n', 'user.note', '-v', 'kept', at('shared'));
  run('setfattr', '-n', 'trusted.overlay', '-v', 'y', at('attributes'));
  run(
    'setfattr',
    '-n',
    'security.selinux',
    '-v',
    'system_u:object_r:container_file_t:s0:c1,c2',
    at('attributes'),
  );
  file('capable', 0o755);
  run('setcap', 'cap_net_raw+ep', at('capable'));
  file('acl', 0o640);
  run('setfacl', '-m', 'u:1007:rw,g:2007:r', at('acl'));
  mkdirSync(at('acl-dir'));
  run('setfacl', '-m', 'd:u:1007:rwx,u:1007:rwx', at('acl-dir'));

  for (const name of [
    'plain',
    'capable',
    'dangling',
    'sparse',
    'fifo',
    'acl-dir',
    'empty',
    'shared',
    'read-only-dir',
  ]) {
    lutimesSync(at(name), WHEN, WHEN);
  }
}
