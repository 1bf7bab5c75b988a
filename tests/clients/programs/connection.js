// SPDX-License-Identifier: ISC
// Documents for relay-compiler: it adds cursors, ids, types and fragments to
// connections and nodes.
const graphql = String.raw;

export const documents = [
    graphql`
        query connectionBagQuery($first: Int!, $after: String) {
            me {
                bag(first: $first, after: $after)
                    @connection(key: "connectionBagQuery_bag") {
                    edges {
                        node {
                            title
                        }
                    }
                }
            }
        }`,
    graphql`
        query connectionNodeQuery($id: ID!, $short: Boolean = false) {
            node(id: $id) {
                ... on Item {
                    name: title @skip(if: $short)
                    price @skip(if: $short)
                }
                ...connection_owner @arguments(all: true)
            }
        }`,
    graphql`
        fragment connection_owner on Item
            @argumentDefinitions(all: { type: "Boolean!" }) {
            owner @include(if: $all) {
                email
            }
        }`,
];
