// SPDX-License-Identifier: ISC
// A real Vendure with a small shop: two channels, two languages, three
// products, two customers. All data is in memory, or in a PostgreSQL.
//
//   VENDURE_FOLDER=DIR node shop.mjs bearer|cookie|both [postgres://…]
//
// VENDURE_FOLDER is the folder of its packages. The server prints "listening on
// URL" when it is ready. Its paths besides the shop:
//
//   GET /_seen      the headers of the requests and answers since the last call
//   GET /_mail      the newest tokens that were sent by e-mail: for each
//                   address {verify, reset, change}
//   POST /_end      end all sessions, as if they had expired
//
// A plugin adds a mutation that begins a session, signInByLink(email).
import { randomBytes, scryptSync, timingSafeEqual } from "node:crypto";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { join } from "node:path";

const METHODS = { bearer: "bearer", cookie: "cookie",
    both: ["cookie", "bearer"] };
const method = METHODS[process.argv[2]];
const database = process.argv[3];
if (!method || !process.env.VENDURE_FOLDER) {
    console.error("usage: VENDURE_FOLDER=DIR node shop.mjs bearer|cookie|both "
        + "[postgres://...]");
    process.exit(64);
}
process.env.VENDURE_DISABLE_TELEMETRY = "true"; // it would contact Vendure
const require = createRequire(join(process.env.VENDURE_FOLDER, "/"));
const vendure = require("@vendure/core");
const { populate } = require("@vendure/core/cli");
const nest = require("@nestjs/common");
const graphql = require("@nestjs/graphql");
const { gql } = require("graphql-tag");

// Vendure's own strategy needs a native library, which may be missing.
class ScryptHashing {
    async hash(plaintext) {
        const salt = randomBytes(16);
        return `${salt.toString("hex")}:${this.#key(plaintext, salt)}`;
    }

    async check(plaintext, hash) {
        const [salt, key] = hash.split(":");
        return timingSafeEqual(
            Buffer.from(key),
            Buffer.from(this.#key(plaintext, Buffer.from(salt, "hex"))));
    }

    #key(plaintext, salt) {
        return scryptSync(plaintext, salt, 32, { N: 1024 }).toString("hex");
    }
}

// --- recorded requests and e-mails ----------------------------------------------

let app;
let seen = [];
const mail = {}; // e-mail address: {verify, reset, change} tokens

function pairs(flat) {
    const list = [];
    for (let i = 0; i < flat.length; i += 2)
        list.push([flat[i], flat[i + 1]]);
    return list;
}

async function endAll(response) {
    await app.get(vendure.TransactionalConnection).rawConnection
        .createQueryBuilder().delete().from(vendure.Session).execute();
    await app.get(vendure.ConfigService).authOptions.sessionCacheStrategy
        .clear();
    response.json({});
}

function watch(request, response, next) {
    if (request.path === "/_seen") {
        response.json({ seen });
        seen = [];
        return;
    }
    if (request.path === "/_mail") {
        response.json(mail);
        return;
    }
    if (request.path === "/_end") {
        endAll(response).catch(next);
        return;
    }
    const entry = { method: request.method, path: request.originalUrl,
        headers: pairs(request.rawHeaders), answer: [] };
    seen.push(entry);
    response.on("finish", () => {
        entry.status = response.statusCode;
        entry.answer = Object.entries(response.getHeaders())
            .flatMap(([name, value]) => [value].flat()
                .map(one => [name, String(one)]));
    });
    next();
}

function deliver(event, read) {
    app.get(vendure.EventBus).ofType(event).subscribe(({ user }) => {
        mail[user.identifier] = { ...mail[user.identifier],
            ...read(user.getNativeAuthenticationMethod()) };
    });
}

// --- a plugin, without decorators, which JavaScript does not have ------------------

class LinkResolver {
    constructor(users, auth, options) {
        Object.assign(this, { users, auth, options });
    }

    async signInByLink(email, ctx, req, res) {
        const user = await this.users.getUserByEmailAddress(ctx, email);
        const session = await this.auth.createAuthenticatedSessionForUser(
            ctx, user, "native");
        vendure.setSessionToken({ req, res, rememberMe: false,
            authOptions: this.options.authOptions,
            sessionToken: session.token });
        return { id: user.id, identifier: user.identifier, channels: [] };
    }
}

function decorate(type, name, onMethod, onParameters) {
    const found = Object.getOwnPropertyDescriptor(type.prototype, name);
    for (const decorator of onMethod)
        decorator(type.prototype, name, found);
    onParameters.forEach((decorator, i) => decorator(type.prototype, name, i));
}

nest.Dependencies(vendure.UserService, vendure.AuthService,
    vendure.ConfigService)(LinkResolver);
graphql.Resolver()(LinkResolver);
decorate(LinkResolver, "signInByLink",
    [graphql.Mutation(), vendure.Allow("Public"), vendure.Transaction()],
    [graphql.Args("email"), vendure.Ctx(), graphql.Context("req"),
        graphql.Context("res")]);

class LinkPlugin {}
vendure.VendurePlugin({ imports: [vendure.PluginCommonModule],
    shopApiExtensions: {
        schema: gql`extend type Mutation {
            signInByLink(email: String!): CurrentUser! }`,
        resolvers: [LinkResolver] } })(LinkPlugin);

// --- the shop ------------------------------------------------------------------

const config = port => vendure.mergeConfig(vendure.defaultConfig, {
    logger: new vendure.DefaultLogger({ level: vendure.LogLevel.Warn }),
    apiOptions: {
        hostname: "127.0.0.1",
        port,
        middleware: [{ route: "/", handler: watch, beforeListen: true }],
    },
    dbConnectionOptions: { ...database ? { type: "postgres", url: database }
        : { type: "sqljs" }, synchronize: true, logging: false },
    authOptions: {
        tokenMethod: method,
        passwordHashingStrategy: new ScryptHashing(),
        cookieOptions: { secret: randomBytes(32).toString("hex") },
    },
    paymentOptions: { paymentMethodHandlers: [vendure.dummyPaymentHandler] },
    plugins: [LinkPlugin, vendure.DefaultSearchPlugin.init({})],
});

const initial = {
    defaultLanguage: "en",
    defaultZone: "Europe",
    countries: [{ name: "Austria", code: "AT", zone: "Europe" }],
    taxRates: [{ name: "Standard Tax", percentage: 20 }],
    shippingMethods: [{ name: "Cart", price: 500 }],
    paymentMethods: [{ name: "Coin", handler: {
        code: "dummy-payment-handler",
        arguments: [{ name: "automaticSettle", value: "true" }] } }],
    collections: [],
};

const PRODUCTS = [["Lantern", "Laterne"], ["Rope", "Seil"], ["Torch", "Fackel"]];
const CHANNEL = "second-channel";
const PASSWORDS = { alice: "drawbridge alice", bob: "drawbridge bob" };

// A context with the superadmin's permissions; needed again after a new channel.
async function contextFor(app) {
    const user = await app.get(vendure.TransactionalConnection).rawConnection
        .getRepository(vendure.User).findOneOrFail({
            where: { identifier: "superadmin" },
            relations: { roles: { channels: true } } });
    return app.get(vendure.RequestContextService)
        .create({ apiType: "admin", languageCode: "en", user });
}

async function stock(app) {
    let ctx = await contextFor(app);
    const defaultChannel = await app.get(vendure.ChannelService)
        .getDefaultChannel(ctx);
    await app.get(vendure.ChannelService).update(ctx,
        { id: defaultChannel.id, availableLanguageCodes: ["en", "de"] });
    const secondChannel = await app.get(vendure.ChannelService).create(ctx, {
        code: CHANNEL, token: CHANNEL, defaultLanguageCode: "en",
        availableLanguageCodes: ["en", "de"], pricesIncludeTax: false,
        defaultCurrencyCode: "USD", availableCurrencyCodes: ["USD"],
        defaultTaxZoneId: defaultChannel.defaultTaxZone.id,
        defaultShippingZoneId: defaultChannel.defaultShippingZone.id,
    });
    ctx = await contextFor(app);
    const taxes = await app.get(vendure.TaxCategoryService).findAll(ctx);
    const ids = [];
    for (const [en, de] of PRODUCTS) {
        const texts = [["en", en], ["de", de]].map(([languageCode, name]) =>
            ({ languageCode, name, slug: name.toLowerCase(), description: "" }));
        const product = await app.get(vendure.ProductService)
            .create(ctx, { enabled: true, translations: texts });
        ids.push(product.id);
        await app.get(vendure.ProductVariantService).create(ctx, [{
            productId: product.id, sku: en, price: 1000, trackInventory: "FALSE",
            taxCategoryId: taxes.items[0].id,
            translations: texts.map(({ languageCode, name }) =>
                ({ languageCode, name })),
        }]);
    }
    await app.get(vendure.ProductService).assignProductsToChannel(ctx,
        { channelId: secondChannel.id, productIds: ids, priceFactor: 2 });
    for (const [name, password] of Object.entries(PASSWORDS))
        await app.get(vendure.CustomerService).create(ctx,
            { firstName: name, lastName: "Ward",
                emailAddress: `${name}@example.com` }, password);
}

function freePort() {
    return new Promise((resolve, reject) => {
        const server = createServer().on("error", reject);
        server.listen(0, "127.0.0.1", () => {
            const { port } = server.address();
            server.close(() => resolve(port));
        });
    });
}

const port = await freePort();
app = await populate(() => vendure.bootstrap(config(port)), initial);
await stock(app);
await app.get(vendure.JobQueueService).start(); // for the search index
deliver(vendure.AccountRegistrationEvent,
    method => ({ verify: method.verificationToken }));
deliver(vendure.PasswordResetEvent,
    method => ({ reset: method.passwordResetToken }));
deliver(vendure.IdentifierChangeRequestEvent,
    method => ({ change: method.identifierChangeToken }));
seen = [];
console.log(`listening on http://127.0.0.1:${port}/shop-api`);

for (const name of ["SIGTERM", "SIGINT"])
    process.on(name, () => process.exit(0));
process.stdin.on("end", () => process.exit(0)).resume(); // the parent process has ended
