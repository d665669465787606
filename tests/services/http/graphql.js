// SPDX-License-Identifier: Apache-2.0
// A GraphQL server by graphql-yoga: HTTP's version (1 or 2, without TLS), and the port.
const http = require('node:http');
const http2 = require('node:http2');
const { createSchema, createYoga } = require('graphql-yoga');

const [version, port] = process.argv.slice(2);
const schema = createSchema({
  typeDefs: 'type Query { cart(id: ID): Int, broken: Int } type Mutation { buy(card: String): Int }',
  resolvers: { Query: { cart: () => 42, broken: () => { throw new Error('secret'); } }, Mutation: { buy: () => 1 } },
});
const { createServer } = version === '2' ? http2 : http;
createServer(createYoga({ schema, logging: false })).listen(+port, '127.0.0.1');
