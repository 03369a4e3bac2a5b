// A real OpenID provider for the tests. Its arguments: its port, our address, and where it announces who signed out.
// Whoever signs in is taken at their word; groups and title stand in the user name's sheet below.
import Provider from "oidc-provider";

const [port, ours, announces] = process.argv.slice(2);
const SHEETS = {
  nora: { name: "Nora Quist", title: "Buyer", email: "nora@company.example", groups: ["lockstep-buyers", "canteen"] },
  lena: { name: "Lena Fischer", title: "Head of purchasing", email: "lena@company.example", groups: ["lockstep-purchasing-leads"] },
};
const groups = new Map();

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: "lockstep",
    client_secret: "a secret of the tests",
    redirect_uris: [`${ours}/sign-in/company/return`],
    post_logout_redirect_uris: [`${ours}/sign-in`],
    backchannel_logout_uri: announces,
    backchannel_logout_session_required: true,
  }],
  claims: { openid: ["sub"], profile: ["name", "preferred_username", "title", "groups"], email: ["email"] },
  features: { devInteractions: { enabled: true }, backchannelLogout: { enabled: true }, rpInitiatedLogout: { enabled: true } },
  cookies: { keys: ["only for tests"] },
  // Its own guard against private addresses would keep it from the listener of the tests.
  fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options),
  async findAccount(_context, id) {
    const login = id.split("#")[0];
    const sheet = { ...(SHEETS[login] ?? { name: login, groups: [] }) };
    return { accountId: id, claims: () => ({ sub: id, preferred_username: login, ...sheet, groups: groups.get(login) ?? sheet.groups }) };
  },
  async loadExistingGrant(context) {
    const grant = new context.oidc.provider.Grant({ clientId: context.oidc.client.clientId, accountId: context.oidc.session.accountId });
    grant.addOIDCScope("openid profile email");
    await grant.save();
    return grant;
  },
});
// Groups change at the company: PUT /groups/nora?of=lockstep-quality
provider.use(async (context, next) => {
  const found = /^\/groups\/(\w+)$/.exec(context.path);
  if (!found) return next();
  groups.set(found[1], [context.query.of ?? []].flat());
  context.body = "kept";
});
provider.on("backchannel.error", (_context, error) => console.error(error));
provider.listen(Number(port), "127.0.0.1", () => console.log("listening"));
