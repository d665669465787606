// SPDX-License-Identifier: Apache-2.0
// Calls a database when a line comes in, then waits for the end of its input: "jdbc URL" by the driver that the URL names,
// "jedis PORT" Redis.
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.Pipeline;
import redis.clients.jedis.exceptions.JedisDataException;

public class DatabaseClient {
    static void byJdbc(String url) throws SQLException {
        try (Connection database = DriverManager.getConnection(url)) {
            // Some drivers prepare on the server from some use on.
            try (PreparedStatement select = database.prepareStatement("SELECT name FROM users WHERE id = ?")) {
                for (int i = 0; i < 4; ++i) {
                    select.setInt(1, 1);
                    try (ResultSet rows = select.executeQuery()) {
                        if (!rows.next() || !rows.getString(1).equals("ann")) throw new AssertionError();
                    }
                }
            }
            try (Statement statement = database.createStatement()) {
                statement.executeQuery("SELECT 'secret' AS name").close();
                try {
                    statement.executeQuery("SELECT * FROM missing");
                    throw new AssertionError("no error");
                } catch (SQLException expected) {
                }
            }
            database.setAutoCommit(false);
            try (PreparedStatement insert = database.prepareStatement("INSERT INTO orders (user_id) VALUES (?)")) {
                for (int i = 0; i < 3; ++i) {
                    insert.setInt(1, i);
                    insert.addBatch();
                }
                insert.executeBatch();
            }
            // Two rows at a time, where the driver does not read all there are.
            try (PreparedStatement select = database.prepareStatement("SELECT user_id FROM orders")) {
                select.setFetchSize(2);
                int count = 0;
                try (ResultSet rows = select.executeQuery()) {
                    while (rows.next()) ++count;
                }
                if (count != 3) throw new AssertionError(count + " rows");
            }
            database.commit();
        }
    }

    static void byJedis(int port) {
        try (Jedis redis = new Jedis("127.0.0.1", port)) {
            redis.set("basket", "secret");
            redis.get("basket");
            try {
                redis.lpush("basket", "x");
                throw new AssertionError("no error");
            } catch (JedisDataException expected) {
            }
            Pipeline pipeline = redis.pipelined();
            for (int i = 0; i < 20; ++i) pipeline.incr("basket:count");
            pipeline.sync();
        }
    }

    public static void main(String[] arguments) throws Exception {
        System.in.read();
        if (arguments[0].equals("jdbc")) byJdbc(arguments[1]);
        else byJedis(Integer.parseInt(arguments[1]));
        System.out.println("done");
        while (System.in.read() >= 0) {}
    }
}
