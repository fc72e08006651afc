import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './process/run.js';

export interface Identity {
  readonly name: string;
  readonly commonName: string;
  readonly organization?: string;
  /** Subject alternative names, as openssl writes them: `IP:10.0.0.1`, `DNS:localhost`. */
  readonly names?: readonly string[];
}

// Without our own file, openssl would add the distribution's extensions, among them CA:TRUE.
const opensslConfig = `[req]
distinguished_name = dn
prompt = no
[dn]
`;

/** The certificate authority of one cluster and what it issued: files in one directory. */
export class Pki {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  path(file: string): string {
    return join(this.directory, file);
  }

  read(file: string): Promise<string> {
    return readFile(this.path(file), 'utf8');
  }

  /** Makes the authority and the key that signs ServiceAccount tokens, if they are not there yet. */
  async ensureAuthority(name: string): Promise<void> {
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    if (!existsSync(this.path('openssl.cnf'))) await writeFile(this.path('openssl.cnf'), opensslConfig);
    if (!existsSync(this.path('ca.crt'))) {
      await this.#certificate('ca', `/CN=${name}-ca`, [
        'basicConstraints=critical,CA:TRUE',
        'keyUsage=critical,keyCertSign,cRLSign,digitalSignature',
        'subjectKeyIdentifier=hash',
      ]);
    }
    if (!existsSync(this.path('sa.pub'))) {
      const key = this.path('sa.key');
      await run('openssl', [
        'genpkey',
        '-algorithm',
        'EC',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-out',
        key,
      ]);
      const { stdout } = await run('openssl', ['pkey', '-in', key, '-pubout']);
      await writeFile(this.path('sa.pub'), stdout);
    }
  }

  /** A certificate for client and server use, `NAME.crt` and `NAME.key`. */
  async ensure(identity: Identity): Promise<void> {
    if (existsSync(this.path(`${identity.name}.crt`))) return;
    const organization = identity.organization === undefined ? '' : `/O=${identity.organization}`;
    const names = identity.names ?? [];
    await this.#certificate(
      identity.name,
      `${organization}/CN=${identity.commonName}`,
      [
        'basicConstraints=critical,CA:FALSE',
        'keyUsage=critical,digitalSignature',
        'extendedKeyUsage=serverAuth,clientAuth',
        ...(names.length > 0 ? [`subjectAltName=${names.join(',')}`] : []),
      ],
      ['-CA', this.path('ca.crt'), '-CAkey', this.path('ca.key')],
    );
  }

  /** The certificate appears last and at once, so a run killed in between leaves none that has no key. */
  async #certificate(
    name: string,
    subject: string,
    extensions: string[],
    signer: string[] = [],
  ): Promise<void> {
    const fresh = this.path(`.${name}.crt`);
    await run('openssl', [
      ...['req', '-x509', '-config', this.path('openssl.cnf'), '-newkey', 'ec', '-noenc', '-days', '3650'],
      ...['-pkeyopt', 'ec_paramgen_curve:P-256', '-subj', subject, ...signer],
      ...extensions.flatMap((extension) => ['-addext', extension]),
      ...['-keyout', this.path(`${name}.key`), '-out', fresh],
    ]);
    await rename(fresh, this.path(`${name}.crt`));
  }
}
