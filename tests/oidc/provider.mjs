// An OpenID provider that is not ours (oidc-provider), with the people it is told of.
// Arguments: the address to come back to, and a JSON object of subjects with their claims.
// Prints the port it listens on.
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const [redirect, people] = process.argv.slice(2);
const accounts = JSON.parse(people);
const server = createServer();

server.listen(0, '127.0.0.1', () => {
  const { port } = server.address();
  const provider = new Provider(`http://127.0.0.1:${port}`, {
    clients: [
      {
        client_id: 'endwatch',
        client_secret: 'a secret: of the + tests %',
        redirect_uris: [redirect],
      },
    ],
    claims: { openid: ['sub'], profile: ['name', 'groups'], email: ['email', 'email_verified'] },
    conformIdTokenClaims: process.env.CLAIMS === 'userinfo',
    cookies: { keys: ['cookies of the tests'] },
    pkce: { required: () => true },
    findAccount: (_, id) =>
      accounts[id] && { accountId: id, claims: () => ({ sub: id, ...accounts[id] }) },
  });
  server.on('request', provider.callback());
  console.log(port);
});
