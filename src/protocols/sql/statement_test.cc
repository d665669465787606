// SPDX-License-Identifier: Apache-2.0
#include "protocols/sql/statement.h"

#include <gtest/gtest.h>

namespace waggle::protocols::sql {
namespace {

Facts read(std::string_view text, Reading reading = {}) {
    Facts facts;
    read_statement(text, reading, facts);
    return facts;
}

Facts read_mysql(std::string_view text) { return read(text, {.dialect = Dialect::MySql, .has_backslashes = true}); }

struct TextCase {
    std::string_view from;
    std::string_view to;
};

TEST(SqlText, LosesItsLiterals) {
    constexpr TextCase kCases[] = {
        {"SELECT 1", "SELECT ?"},
        {"SELECT 'it''s', 1.5e-3, .5, 0xff, -7", "SELECT ?, ?, ?, ?, -?"},
        {"SELECT E'a\\'secret', X'ff', B'1', N'n', U&'\\0041'", "SELECT ?, ?, ?, ?, ?"},
        {"SELECT $$it's$$, $tag$ a $$ secret $tag$, $1, $2", "SELECT ?, ?, $1, $2"},
        {"SELECT 'C:\\', 'secret'", "SELECT ?, ?"},
        {"SELECT a -- 'secret'\n FROM t /* secret /* deeper */ secret */ WHERE x = 2", "SELECT a FROM t WHERE x = ?"},
        {"SELECT * FROM t WHERE id IN (1, 2, 3) AND b IN ($1,$2) AND c IN (SELECT 1)",
         "SELECT * FROM t WHERE id IN (?) AND b IN (?) AND c IN (SELECT ?)"},
        {"SELECT \"Weird \"\"name\", x::text, t1.a2 FROM \"T\"",
         "SELECT \"Weird \"\"name\", x::text, t1.a2 FROM \"T\""},
        {"SELECT a #>> '{secret}', b->>'key'", "SELECT a #>> ?, b->>?"},
        {"  SELECT\t1 ;  ", "SELECT ?"},
        {"ALTER USER bob PASSWORD 'secret'", "ALTER USER bob PASSWORD ?"},
        {"SELECT 1$tag$ secret $tag$", "SELECT ??"},
        {"", ""},
    };
    for (const TextCase& one : kCases) EXPECT_EQ(read(one.from).text, one.to) << one.from;
}

TEST(SqlText, LosesTheLiteralsOfMySql) {
    constexpr TextCase kCases[] = {
        {R"(SELECT "secret", 'a\'secret', `col``umn` FROM `t`)", "SELECT ?, ?, `col``umn` FROM `t`"},
        {"SELECT 1 # secret\n, 2 -- secret\n, 3", "SELECT ? , ? , ?"},
        {"SELECT 5--1", "SELECT ?--?"},
        {"SELECT _utf8mb4'secret', _latin1\"secret\", x'ff'", "SELECT ?, ?, ?"},
        {"SELECT /* not /* nested */ a FROM t", "SELECT a FROM t"},
        {"SET @x = 'secret', @@global.y = 5", "SET @x = ?, @@global.y = ?"},
    };
    for (const TextCase& one : kCases) EXPECT_EQ(read_mysql(one.from).text, one.to) << one.from;
}

TEST(SqlText, ShowsNoLiteralWhereverItIsCut) {
    constexpr std::string_view kTexts[] = {
        "SELECT 'ZZZZ', E'Z\\'Z', $$ZZ$$, $b$ZZ$$ZZ$b$, U&'ZZ' FROM t -- ZZ\n WHERE a IN ('ZZ', 'ZZ') /* ZZ */ AND b = "
        "'ZZ'",
        "INSERT INTO t VALUES ('ZZ''ZZ', 'ZZ')"};
    for (const std::string_view text : kTexts)
        for (std::size_t cut = 0; cut <= text.size(); ++cut)
            EXPECT_EQ(read(text.substr(0, cut), {.is_cut = true}).text.find('Z'), std::string::npos)
                << text.substr(0, cut);
    constexpr std::string_view kMySql = R"(SELECT "ZZ\"ZZ", 'Z\'Z', _utf8'ZZ' # ZZ)";
    for (std::size_t cut = 0; cut <= kMySql.size(); ++cut)
        EXPECT_EQ(read_mysql(kMySql.substr(0, cut)).text.find('Z'), std::string::npos) << kMySql.substr(0, cut);
}

TEST(SqlText, StaysAsItIsWhenAskedFor) {
    EXPECT_EQ(read(" SELECT 'a' -- b", {.is_sanitized = false}).text, "SELECT 'a' -- b");
}

TEST(SqlText, OldPostgresHasBackslashes) {
    EXPECT_EQ(read(R"(SELECT 'a\'secret')", {.has_backslashes = true}).text, "SELECT ?");
}

TEST(SqlText, IsBounded) {
    std::string text = "SELECT a";
    while (text.size() < 100'000) text += ", column_name";
    const Facts facts = read(text);
    EXPECT_LE(facts.text.size(), kMaxText);
    EXPECT_TRUE(facts.is_cut);
    EXPECT_EQ(facts.operation, "SELECT");
    EXPECT_LE(read("SELECT " + std::string(50'000, '(')).text.size(), kMaxText);
}

struct FactCase {
    std::string_view text;
    std::string_view operation;
    std::string_view collection;
    std::string_view summary;
};

TEST(SqlFacts, NameOperationAndTables) {
    constexpr FactCase kCases[] = {
        {"select * from users where id = 1", "SELECT", "users", "SELECT users"},
        {"SELECT t.id FROM access_tokens t, policies AS p WHERE 1=1", "SELECT", "", "SELECT access_tokens policies"},
        {"SELECT * FROM TABLE WHERE FIELD=1234", "SELECT", "", "SELECT"},
        {"INSERT INTO a.b VALUES (?)", "INSERT", "a.b", "INSERT a.b"},
        {"INSERT INTO t (id, n) SELECT id, n FROM o", "INSERT", "", "INSERT t SELECT o"},
        {"SELECT * FROM songs s JOIN artists a ON s.a = a.id LEFT JOIN albums USING (id)", "SELECT", "",
         "SELECT songs artists albums"},
        {"SELECT * FROM (SELECT * FROM orders) o", "SELECT", "orders", "SELECT SELECT orders"},
        {"SELECT extract(year FROM made), trim(both FROM x) FROM orders", "SELECT", "orders", "SELECT orders"},
        {"SELECT 1 FROM a WHERE x IS DISTINCT FROM y", "SELECT", "a", "SELECT a"},
        {"SELECT * FROM generate_series(1, 2) g, t", "SELECT", "t", "SELECT t"},
        {"UPDATE ONLY \"Stock\" SET n = 1 FROM o WHERE true", "UPDATE", "", "UPDATE Stock o"},
        {"SELECT * FROM t FOR UPDATE", "SELECT", "t", "SELECT t"},
        {"INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET x = 1", "INSERT", "t", "INSERT t"},
        {"DELETE FROM a USING b WHERE a.x = b.x", "DELETE", "", "DELETE a b"},
        {"WITH x AS (SELECT * FROM orders) SELECT * FROM x", "SELECT", "orders", "SELECT orders SELECT"},
        {"WITH RECURSIVE x(n) AS (SELECT 1), y AS (SELECT 2) INSERT INTO t SELECT * FROM x, y", "INSERT", "t",
         "SELECT SELECT INSERT t SELECT"},
        {"(SELECT 1 FROM a) UNION (SELECT 2 FROM a)", "SELECT", "a", "SELECT a SELECT a"},
        {"CREATE TABLE IF NOT EXISTS t (id int)", "CREATE", "t", "CREATE TABLE t"},
        {"CREATE UNIQUE INDEX CONCURRENTLY i ON t (id)", "CREATE", "t", "CREATE INDEX t"},
        {"DROP TABLE IF EXISTS a, b", "DROP", "", "DROP TABLE a b"},
        {"TRUNCATE TABLE a", "TRUNCATE", "a", "TRUNCATE a"},
        {"COPY items (a) FROM STDIN", "COPY", "items", "COPY items"},
        {"EXPLAIN ANALYZE SELECT * FROM t", "EXPLAIN", "t", "EXPLAIN SELECT t"},
        {"execute my_stmt (1)", "EXECUTE", "", "EXECUTE my_stmt"},
        {"CALL refill(1)", "CALL", "", "CALL refill"},
        {"MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN UPDATE SET a = 1", "MERGE", "", "MERGE t s"},
        {"BEGIN", "BEGIN", "", "BEGIN"},
        {"SELECT REPLACE(a, 'x', 'y') FROM t", "SELECT", "t", "SELECT t"},
        {"-- nothing", "", "", ""},
    };
    for (const FactCase& one : kCases) {
        const Facts facts = read(one.text);
        EXPECT_EQ(facts.operation, one.operation) << one.text;
        EXPECT_EQ(facts.collection, one.collection) << one.text;
        EXPECT_EQ(facts.summary, one.summary) << one.text;
    }
}

TEST(SqlFacts, NameMySqlsTables) {
    EXPECT_EQ(read_mysql("REPLACE INTO `db`.`t` VALUES (1)").collection, "db.t");
    EXPECT_EQ(read_mysql("INSERT t SET a = 1 ON DUPLICATE KEY UPDATE a = 2").summary, "INSERT t");
    EXPECT_EQ(read_mysql("SHOW TABLES FROM shop").summary, "SHOW");
}

TEST(SqlFacts, MysqlReadsCommentsWithAMark) {
    const Facts facts = read_mysql("/*!40101 SET NAMES 'utf8' */");
    EXPECT_EQ(facts.operation, "SET");
    EXPECT_EQ(facts.text, "SET NAMES ?");
    EXPECT_EQ(read_mysql("SELECT /*M!100500 SQL_CACHE */ a /* no */ FROM t").text, "SELECT SQL_CACHE a FROM t");
    EXPECT_EQ(read("/*!40101 SET NAMES 'utf8' */").text, "");
}

TEST(SqlFacts, ANameThatIsCutOffIsNotTold) {
    Facts facts;
    read_statement("SELECT * FROM user", {.is_cut = true}, facts);
    EXPECT_EQ(facts.summary, "SELECT");
    EXPECT_EQ(facts.collection, "");
}

TEST(SqlFacts, BatchesSayWhatTheyHaveInCommon) {
    const Facts same = read("INSERT INTO t VALUES (1); INSERT INTO t VALUES (2);");
    EXPECT_EQ(same.statements, 2u);
    EXPECT_EQ(same.operation, "BATCH INSERT");
    EXPECT_EQ(same.summary, "BATCH INSERT t");
    EXPECT_EQ(same.collection, "t");
    EXPECT_EQ(same.text, "INSERT INTO t VALUES (?)");
    const Facts mixed = read("BEGIN; DELETE FROM t; COMMIT");
    EXPECT_EQ(mixed.operation, "BATCH");
    EXPECT_EQ(mixed.summary, "BATCH");
    EXPECT_EQ(mixed.text, "BEGIN; DELETE FROM t; COMMIT");
}

TEST(SqlFacts, SummaryEndsWithAWholeName) {
    std::string text = "SELECT * FROM t0";
    for (int i = 1; i < 100; ++i) text += ", table_" + std::to_string(i);
    const Facts facts = read(text);
    EXPECT_LE(facts.summary.size(), kMaxSummary);
    EXPECT_TRUE(facts.summary.ends_with("table_28")) << facts.summary;
}

}  // namespace
}  // namespace waggle::protocols::sql
