// SPDX-License-Identifier: ISC
// All requests of a storefront: show the shop, fill a cart, create an account,
// order, and change the account. It uses graphql-request, as Vendure's starter
// projects do. A cookie jar or the header vendure-auth-token keeps the session.
//
//   KIND=cookie|header CONTROL=URL node storefront.mjs URL EMAIL PASSWORD
//
// It creates its own account and reads the e-mails at CONTROL/_mail. It prints
// each answer, and replaces values that differ from run to run.
import fetchCookie from "fetch-cookie";
import { ClientError, gql, GraphQLClient } from "graphql-request";

const [url, base, firstPassword] = process.argv.slice(2);
const { KIND: kind, CONTROL: control } = process.env;
const email = `new-${base}`;
const newEmail = `newer-${base}`;
let password = firstPassword;

// --- documents -----------------------------------------------------------------

const failure = gql`fragment Failure on ErrorResult { errorCode message }`;
const variant = gql`
    fragment Variant on ProductVariant {
        id
        name
        sku
        stockLevel
        price
        priceWithTax
        currencyCode
        options { id code name group { id name } }
        featuredAsset { id preview }
    }`;
const cart = gql`
    fragment Cart on Order {
        __typename
        id
        code
        active
        createdAt
        state
        currencyCode
        couponCodes
        totalQuantity
        subTotal
        subTotalWithTax
        shippingWithTax
        totalWithTax
        taxSummary { description taxRate taxTotal }
        discounts { description amountWithTax }
        customer { id firstName lastName emailAddress }
        shippingAddress { ...PostalAddress }
        shippingLines { priceWithTax shippingMethod { id code name } }
        lines {
            id
            quantity
            unitPriceWithTax
            linePriceWithTax
            productVariant { ...Variant }
        }
        payments { id method amount state transactionId metadata }
    }
    fragment PostalAddress on OrderAddress {
        fullName company streetLine1 streetLine2 city province postalCode
        countryCode country: countryCode phoneNumber
    }
    ${variant}`;
const user = gql`
    fragment User on CurrentUser {
        id
        identifier
        channels { code permissions }
    }`;

const documents = {
    shop: gql`query shop {
        activeChannel { id code currencyCode defaultLanguageCode
            pricesIncludeTax }
        availableCountries { id code name } }`,
    menu: gql`query menu($options: CollectionListOptions) {
        collections(options: $options) { totalItems
            items { id name slug parent { id name }
                children { id name slug } featuredAsset { preview } } } }`,
    facets: gql`query facets { facets(options: { take: 50 }) { totalItems
        items { id name values { id name } } } }`,
    search: gql`
        query search($input: SearchInput!) {
            search(input: $input) {
                totalItems
                items { ...Found }
                facetValues { count facetValue { id name facet { id name } } }
            }
        }
        fragment Found on SearchResult {
            productId productName slug currencyCode sku
            productAsset { id preview focalPoint { x y } }
            priceWithTax {
                ... on PriceRange { min max }
                ... on SinglePrice { value }
            }
        }`,
    product: gql`
        query product($slug: String, $id: ID) {
            product(slug: $slug, id: $id) { ...Detailed }
        }
        fragment Detailed on Product {
            id name slug description
            collections { id slug name breadcrumbs { id name slug } }
            facetValues { id code name facet { id code name } }
            assets { id preview }
            variants { ...Variant }
        }
        ${variant}`,
    activeCustomer: gql`query activeCustomer {
        activeCustomer { id title firstName lastName emailAddress phoneNumber
            user { id identifier verified } } }`,
    addresses: gql`query addresses { activeCustomer { id addresses {
        id fullName streetLine1 city postalCode country { code name }
        defaultShippingAddress defaultBillingAddress } } }`,
    orders: gql`
        query orders($options: OrderListOptions) {
            activeCustomer { id orders(options: $options) { totalItems
                items { ...Cart orderPlacedAt } } }
        }
        ${cart}`,
    activeOrder: gql`query activeOrder { activeOrder { ...Cart } } ${cart}`,
    addItemToOrder: gql`
        mutation addItemToOrder($productVariantId: ID!, $quantity: Int!) {
            addItemToOrder(productVariantId: $productVariantId,
                           quantity: $quantity) {
                __typename
                ...Cart
                ...Failure
                ... on InsufficientStockError {
                    quantityAvailable
                    order { ...Cart }
                }
            }
        }
        ${failure} ${cart}`,
    adjustOrderLine: gql`
        mutation adjustOrderLine($orderLineId: ID!, $quantity: Int!) {
            adjustOrderLine(orderLineId: $orderLineId, quantity: $quantity) {
                ...Cart ...Failure } } ${failure} ${cart}`,
    removeOrderLine: gql`mutation removeOrderLine($orderLineId: ID!) {
        removeOrderLine(orderLineId: $orderLineId) { ...Cart ...Failure } }
        ${failure} ${cart}`,
    applyCouponCode: gql`mutation applyCouponCode($couponCode: String!) {
        applyCouponCode(couponCode: $couponCode) { ...Cart ...Failure } }
        ${failure} ${cart}`,
    register: gql`mutation register($input: RegisterCustomerInput!) {
        registerCustomerAccount(input: $input) { __typename
            ... on Success { success } ...Failure
            ... on PasswordValidationError { validationErrorMessage } } }
        ${failure}`,
    verify: gql`mutation verify($token: String!, $password: String) {
        verifyCustomerAccount(token: $token, password: $password) {
            __typename ...User ...Failure } } ${user} ${failure}`,
    login: gql`mutation login($email: String!, $password: String!,
                              $rememberMe: Boolean) {
        login(username: $email, password: $password, rememberMe: $rememberMe) {
            __typename
            ... on CurrentUser { id identifier }
            ... on ErrorResult { errorCode message }
            ... on InvalidCredentialsError { authenticationError } } }`,
    authenticate: gql`
        mutation authenticate($input: AuthenticationInput!,
                              $rememberMe: Boolean = false) {
            authenticate(input: $input, rememberMe: $rememberMe) {
                __typename
                ...User
                ... on InvalidCredentialsError { errorCode message
                    authenticationError }
                ... on NotVerifiedError { errorCode message } } } ${user}`,
    logout: gql`mutation logout { logout { success } }`,
    me: gql`query me { me { ...User } } ${user}`,
    updateCustomer: gql`mutation updateCustomer($input: UpdateCustomerInput!) {
        updateCustomer(input: $input) { __typename id firstName
            phoneNumber } }`,
    createAddress: gql`mutation createAddress($input: CreateAddressInput!) {
        createCustomerAddress(input: $input) { __typename id city } }`,
    updatePassword: gql`
        mutation updatePassword($old: String!, $new: String!) {
            updateCustomerPassword(currentPassword: $old, newPassword: $new) {
                __typename ... on Success { success } ...Failure } }
        ${failure}`,
    requestChange: gql`
        mutation requestChange($password: String!, $newEmailAddress: String!) {
            requestUpdateCustomerEmailAddress(password: $password,
                newEmailAddress: $newEmailAddress) {
                __typename ...Failure } } ${failure}`,
    change: gql`mutation change($token: String!) {
        updateCustomerEmailAddress(token: $token) { __typename ...Failure } }
        ${failure}`,
    requestReset: gql`mutation requestReset($emailAddress: String!) {
        requestPasswordReset(emailAddress: $emailAddress) { __typename
            ... on NativeAuthStrategyError { errorCode message }
            ... on Success { success } } }`,
    reset: gql`mutation reset($token: String!, $password: String!) {
        resetPassword(token: $token, password: $password) {
            __typename ...User ...Failure
            ... on PasswordResetTokenInvalidError { errorCode } } }
        ${user} ${failure}`,
    shipTo: gql`mutation shipTo($input: CreateAddressInput!) {
        setOrderShippingAddress(input: $input) { ...Cart ...Failure } }
        ${failure} ${cart}`,
    shippingMethods: gql`query shippingMethods { eligibleShippingMethods {
        id name code description price priceWithTax metadata } }`,
    shipBy: gql`mutation shipBy($ids: [ID!]!) {
        setOrderShippingMethod(shippingMethodId: $ids) { ...Cart ...Failure } }
        ${failure} ${cart}`,
    paymentMethods: gql`query paymentMethods { nextOrderStates
        eligiblePaymentMethods { id code name isEligible
            eligibilityMessage } }`,
    transition: gql`mutation transition($state: String!) {
        transitionOrderToState(state: $state) { ...Cart
            ... on OrderStateTransitionError { errorCode message
                transitionError fromState toState } } } ${cart}`,
    pay: gql`mutation pay($input: PaymentInput!) {
        addPaymentToOrder(input: $input) { ...Cart ...Failure } }
        ${failure} ${cart}`,
    orderByCode: gql`query orderByCode($code: String!) {
        orderByCode(code: $code) { ...Cart } } ${cart}`,
};

// --- the client -----------------------------------------------------------------

let token;
const send = kind === "cookie" ? fetchCookie(fetch) : fetch;
const client = new GraphQLClient(url, {
    errorPolicy: "all",
    headers: () => (token ? { Authorization: `Bearer ${token}` } : {}),
    async fetch(input, init) {
        const response = await send(input, init);
        const newToken = response.headers.get("vendure-auth-token");
        if (kind === "header" && newToken !== null)
            token = newToken;
        return response;
    },
});

const VARIES = /^(id|code|createdAt|orderPlacedAt|transactionId|productId)$/;

function masked(key, value) {
    if (VARIES.test(key) && typeof value === "string")
        return "VARIES";
    return typeof value === "string" ? value.replace(base, "BASE") : value;
}

async function ask(name, variables) {
    let result;
    try {
        result = await client.rawRequest(documents[name], variables);
    } catch (error) {
        if (!(error instanceof ClientError))
            throw error;
        result = error.response;
    }
    const { data, errors, status } = result;
    console.log(JSON.stringify({ name, status, data, errors: errors?.map(
        ({ path, extensions }) => ({ path, error: extensions?.code })) },
    masked));
    return data && Object.values(data)[0];
}

// Vendure sends e-mails asynchronously.
async function mailed(to, what) {
    for (let i = 0; i < 500; i++) {
        const all = await (await fetch(`${control}/_mail`)).json();
        if (all[to]?.[what])
            return all[to][what];
        await new Promise(resolve => setTimeout(resolve, 20));
    }
    throw new Error(`timeout: no e-mail to ${what}`);
}

// --- the requests -----------------------------------------------------------------

const address = { fullName: "Ada Ward", streetLine1: "1", city: "Wien",
    postalCode: "1010", countryCode: "AT" };

await ask("shop");
await ask("menu", { options: { topLevelOnly: true, take: 100 } });
await ask("facets");
await ask("search", { input: { term: "rope", groupByProduct: true, take: 12,
    sort: { name: "ASC" } } });
await ask("search", { input: { facetValueFilters: [], skip: 1, take: 2,
    sort: { name: "DESC" } } });
await ask("product", { slug: "lantern" });
await ask("activeCustomer");
await ask("activeOrder");

let order = await ask("addItemToOrder", { productVariantId: "1", quantity: 1 });
await ask("addItemToOrder", { productVariantId: "2", quantity: 2 });
await ask("addItemToOrder", { productVariantId: "1", quantity: -1 });
await ask("addItemToOrder", { productVariantId: "99", quantity: 1 });
await ask("adjustOrderLine",
    { orderLineId: order.lines[0].id, quantity: 3 });
order = await ask("activeOrder");
await ask("removeOrderLine", { orderLineId: order.lines[1].id });
await ask("applyCouponCode", { couponCode: "none" });

await ask("login", { email, password, rememberMe: true });
await ask("register", { input: { emailAddress: email, password: "x" } });
await ask("register", { input: { emailAddress: email, firstName: "Ada",
    lastName: "Ward" } });
await ask("verify", { token: "nonsense", password });
await ask("verify", { token: await mailed(email, "verify"), password });
await ask("activeCustomer");
await ask("me");
await ask("logout");
await ask("addItemToOrder", { productVariantId: "3", quantity: 1 });
await ask("login", { email, password: "wrong", rememberMe: false });
await ask("login", { email, password, rememberMe: true });
await ask("activeOrder");

await ask("updateCustomer", { input: { phoneNumber: "+43 1" } });
await ask("createAddress", { input: { ...address,
    defaultShippingAddress: true } });
await ask("addresses");
await ask("shipTo", { input: address });
const methods = await ask("shippingMethods");
await ask("shipBy", { ids: [methods[0].id] });
await ask("paymentMethods");
await ask("transition", { state: "ArrangingPayment" });
order = await ask("pay", { input: { method: "coin", metadata: { a: [1] } } });
await ask("orderByCode", { code: order.code });
await ask("activeOrder");
await ask("orders", { options: { take: 10,
    filter: { active: { eq: false } }, sort: { createdAt: "DESC" } } });

await ask("updatePassword", { old: "wrong", new: "another pass word" });
await ask("updatePassword", { old: password, new: "another pass word" });
password = "another pass word";
await ask("requestChange", { password: "wrong", newEmailAddress: newEmail });
await ask("requestChange", { password, newEmailAddress: newEmail });
await ask("change", { token: await mailed(email, "change") });
await ask("activeCustomer");
await ask("logout");
await ask("me");
await ask("requestReset", { emailAddress: newEmail });
await ask("reset", { token: "nonsense", password: "a third pass word" });
password = "a third pass word";
await ask("reset", { token: await mailed(newEmail, "reset"), password });
await ask("activeCustomer");
await ask("logout");
const native = given => ({ input: { native: {
    username: newEmail, password: given } } });
await ask("authenticate", native("wrong"));
await ask("authenticate", { ...native(password), rememberMe: true });
await ask("me");
await ask("orders");
console.error(JSON.stringify({ newEmail, token: token ?? null }));
