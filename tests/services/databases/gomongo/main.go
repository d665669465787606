// SPDX-License-Identifier: Apache-2.0
// Calls MongoDB by the Go driver when a line comes in, then waits for the end of its input.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

func main() {
	input := bufio.NewReader(os.Stdin)
	input.ReadString('\n')
	ctx := context.Background()
	client, err := mongo.Connect(options.Client().ApplyURI("mongodb://" + os.Args[1]).SetRetryWrites(false))
	if err != nil {
		panic(err)
	}
	orders := client.Database("shop").Collection("orders")
	if _, err := orders.InsertOne(ctx, bson.D{{Key: "_id", Value: 1}, {Key: "basket", Value: "secret"}}); err != nil {
		panic(err)
	}
	orders.InsertOne(ctx, bson.D{{Key: "_id", Value: 1}})
	big := strings.Repeat("secret", 50000)
	if _, err := orders.InsertMany(ctx, []any{bson.D{{Key: "basket", Value: big}}, bson.D{{Key: "basket", Value: big}}}); err != nil {
		panic(err)
	}
	cursor, err := orders.Find(ctx, bson.D{}, options.Find().SetBatchSize(2))
	if err != nil {
		panic(err)
	}
	found := []bson.M{}
	if err := cursor.All(ctx, &found); err != nil || len(found) != 3 {
		panic(fmt.Sprint(err, len(found)))
	}
	client.Database("shop").RunCommand(ctx, bson.D{{Key: "noSuchThing", Value: 1}})
	fmt.Println("done")
	io.Copy(io.Discard, input)
}
