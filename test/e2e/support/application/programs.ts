/**
 * What runs in the containers of the application. Python without its library of protocols (python3-minimal), so both
 * speak just enough of theirs.
 */

/** Keeps one text on its volume. A request is a line, `get` or `set TEXT`; the answer is the text. */
const database = `import os, socket
path = os.path.join(os.environ['DATA'], 'text')
listener = socket.create_server(('', 5432), backlog=64)
while True:
    connection, _ = listener.accept()
    with connection:
        connection.settimeout(5)
        try:
            command, _, text = connection.makefile('r').readline().rstrip('\\n').partition(' ')
            if command == 'set':
                with open(path + '.new', 'w') as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                os.rename(path + '.new', path)
            if command in ('get', 'set'):
                with open(path) as file:
                    connection.sendall(file.read().encode())
        except (OSError, ValueError):
            pass
`;

/** Asks the database, for the programs beside it. */
const client = `import os, socket
def ask(line):
    address = (os.environ['DB_SERVICE_HOST'], int(os.environ['DB_SERVICE_PORT']))
    with socket.create_connection(address, timeout=5) as connection:
        connection.sendall((line + '\\n').encode())
        return connection.makefile('r').read()
`;

/** HTTP: GET answers with greeting and text, and 503 as long as the database has none; PUT with a length sets it. */
const web = `import os, socket
from database_client import ask
def answer(stream):
    method = stream.readline().split()[0]
    length = 0
    for line in iter(stream.readline, b'\\r\\n'):
        name, _, value = line.decode().partition(':')
        if name.lower() == 'content-length':
            length = int(value)
    if method == b'PUT':
        return ask('set ' + stream.read(length).decode())
    return os.environ['GREETING'] + ' ' + ask('get')
listener = socket.create_server(('', 8080), backlog=64)
while True:
    connection, _ = listener.accept()
    with connection:
        connection.settimeout(5)
        try:
            try:
                status, body = '200 OK', answer(connection.makefile('rb')).encode()
            except (OSError, ValueError, IndexError) as error:
                status, body = '503 Service Unavailable', repr(error).encode()
            head = 'HTTP/1.1 %s\\r\\nContent-Length: %d\\r\\nConnection: close\\r\\n\\r\\n' % (status, len(body))
            connection.sendall(head.encode() + body)
        except OSError:
            pass
`;

/** What the CronJob runs: prints what the database has, with the password that it was given. */
const report = `import os
from database_client import ask
print('report', len(os.environ['PASSWORD']), ask('get'))
`;

export const programs = {
  ...{ 'database.py': database, 'database_client.py': client },
  ...{ 'web.py': web, 'report.py': report },
};

/** One HTTP request from inside a pod; prints the body, or ends badly where the answer is not 200. */
export function httpRequest(method: 'GET' | 'PUT', host: string, port: string, body = ''): string {
  return `import os, socket, sys
with socket.create_connection((${host}, int(${port})), timeout=10) as connection:
    body = ${JSON.stringify(body)}.encode()
    head = '${method} / HTTP/1.1\\r\\nContent-Length: %d\\r\\n\\r\\n' % len(body)
    connection.sendall(head.encode() + body)
    head, _, answer = connection.makefile('rb').read().partition(b'\\r\\n\\r\\n')
if b' 200 ' not in head.splitlines()[0]:
    sys.exit(head.decode() + answer.decode())
sys.stdout.write(answer.decode())
`;
}
