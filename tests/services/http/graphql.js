// SPDX-License-Identifier: Apache-2.0
// A GraphQL server by graphql-yoga, on the port that it is given.
const { createServer } = require('node:http');
const { createSchema, createYoga } = require('graphql-yoga');

const schema = createSchema({
  typeDefs: 'type Query { cart(id: ID): Int, broken: Int } type Mutation { buy(card: String): Int }',
  resolvers: { Query: { cart: () => 42, broken: () => { throw new Error('secret'); } }, Mutation: { buy: () => 1 } },
});
createServer(createYoga({ schema, logging: false })).listen(+process.argv[2], '127.0.0.1');
