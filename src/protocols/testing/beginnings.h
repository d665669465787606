// SPDX-License-Identifier: Apache-2.0
// What connections of the framed protocols begin with: framed_fuzz goes on from there. sniff_test demands one of each
// protocol.
#pragma once

#include <string_view>

namespace waggle::protocols::testing {

using namespace std::string_view_literals;

inline constexpr std::string_view kBeginnings[] = {
    "\0\0\0\x0d\0\x03\0\0user\0"sv,
    "\0\0\0\x08\x04\xd2\x16\x2f"sv,
    "Q\0\0\0\x0dSELECT 1\0"sv,
    "P\0\0\0\x11s\0SELECT 1\0\0\0B\0\0\0\x0d\0s\0\0\0\0\0\0\0E\0\0\0\x09\0\0\0\0\0S\0\0\0\x04"sv,
    "\x09\0\0\0\x03SELECT 1"sv,
    "\x09\0\0\0\x16SELECT ?"sv,
    "\x0a\0\0\0\x17\x01\0\0\0\0\x01\0\0\0"sv,
    "\x2b\0\0\x01\x0d\xa2\x0a\0\0\0\0\x40\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
    "bob\0\x01"
    "ashop\0"sv,
    "*1\r\n$4\r\nPING\r\n"sv,
    "*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n"sv,
    "*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nAUTH\r\n$1\r\na\r\n"sv,
    "*1\r\n$5\r\nMULTI\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n5\r\n"sv,
    "get a\r\n"sv,
    "mg a v q\r\nmn\r\n"sv,
    "\x80\x00\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0a"sv,
    // ApiVersions; Metadata 12; Fetch 4 and 16; Produce 3 up to where its records begin; OffsetCommit
    "\0\0\0\x0d\0\x12\0\0\0\0\0\1\0\x03lib"sv,
    "\0\0\0\x12\0\x03\0\x0c\0\0\0\1\0\x03lib\0\0\1\0\0"sv,
    "\0\0\0\x39\0\1\0\4\0\0\0\1\0\3lib\xff\xff\xff\xff\0\0\1\xf4\0\0\0\1\0\x10\0\0\0\0\0\0\1\0\1t\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\5\0\x10\0\0"sv,
    "\0\0\0\x27\0\1\0\x10\0\0\0\1\0\3lib\0\0\0\1\xf4\0\0\0\1\0\x10\0\0\0\0\0\0\0\0\0\0\0\1\1\1\0"sv,
    "\0\0\1\0\0\0\0\3\0\0\0\1\0\3lib\xff\xff\xff\xff\0\0\x75\x30\0\0\0\1\0\1t\0\0\0\1\0\0\0\0\0\0\0\xd0"sv,
    "\0\0\0\x1b\0\x08\0\2\0\0\0\1\0\3lib\0\1g\0\0\0\1\0\1m\0\0\0\0"sv,
    // MongoDB: ping, an insert with a document sequence that is not acknowledged, OP_QUERY, OP_COMPRESSED
    "\x24\0\0\0\x01\0\0\0\0\0\0\0\xdd\x07\0\0\0\0\0\0\0\x0f\0\0\0\x10ping\0\1\0\0\0\0"sv,
    "\x42\0\0\0\x01\0\0\0\0\0\0\0\xdd\x07\0\0\2\0\0\0\1\x0e\0\0\0docs\0\5\0\0\0\0\0\x1e\0\0\0\2insert\0\2\0\0\0a\0\2$db\0\2\0\0\0s\0\0"sv,
    "\x38\0\0\0\x01\0\0\0\0\0\0\0\xd4\x07\0\0\0\0\0\0a.$cmd\0\0\0\0\0\xff\xff\xff\xff\x15\0\0\0\1isMaster\0\1\0\0\0\0"sv,
    "\x1b\0\0\0\x01\0\0\0\0\0\0\0\xdc\x07\0\0\xdd\x07\0\0\x20\0\0\0\2zz"sv,
    // FastCGI: a request; one whose parameters go on
    "\1\1\0\1\0\x08\0\0\0\1\1\0\0\0\0\0\1\4\0\1\0\x13\0\0\x0e\3REQUEST_METHODGET\1\4\0\1\0\0\0\0\1\5\0\1\0\0\0\0"sv,
    "\1\1\0\2\0\x08\0\0\0\1\0\0\0\0\0\0\1\4\0\2\x10\0\4\0\x0b\1"sv,
    // AMQP: confirmations asked for, a publish whose body goes on; a delivery, and a channel that is opened behind a
    // heartbeat, of older connections
    "AMQP\0\0\x09\1\1\0\1\0\0\0\5\0\x55\0\x0a\0\xce\1\0\1\0\0\0\x0b\0\x3c\0\x28\0\0\1e\1r\0\xce\2\0\1\0\0\0\x0e\0\x3c\0\0\0\0\0\0\0\0\1\0\0\0\xce\3\0\1\0\0\0\x64"sv,
    "\1\0\1\0\0\0\x13\0\x3c\0\x3c\1t\0\0\0\0\0\0\0\1\0\1e\1r\xce"sv,
    "\x08\0\0\0\0\0\0\xce\1\0\1\0\0\0\5\0\x14\0\x0a\0\xce"sv,
    // NATS: answered lines; a request; a message with headers
    "CONNECT {\"verbose\":true}\r\nPUB a 1\r\nx\r\n"sv,
    "CONNECT {\"a\":1}\r\nPUB a _INBOX.1 1\r\nx\r\n"sv,
    "HPUB a 12 13\r\nNATS/1.0\r\n\r\nx\r\n"sv,
    // MQTT: versions 3.1.1 and 5 with a message that is confirmed; a subscription
    "\x10\x0c\0\4MQTT\4\2\0\x3c\0\0\x32\7\0\3a/b\0\1"sv,
    "\x10\x0d\0\4MQTT\5\2\0\x3c\0\0\0\x34\x0b\0\3a/b\0\1\3\x23\0\1"sv,
    "\x10\x0c\0\4MQTT\4\2\0\x3c\0\0\x82\6\0\1\0\1a\1"sv,
    // DNS over TCP
    "\0\x16\0\1\1\x20\0\1\0\0\0\0\0\0\4shop\0\0\1\0\1"sv,
    // SMTP: a login, a transaction, a chunk
    "EHLO a\r\nAUTH LOGIN\r\n"sv,
    "MAIL FROM:<a>\r\nRCPT TO:<b>\r\nDATA\r\n"sv,
    "LHLO a\r\nMAIL FROM:<a>\r\nRCPT TO:<b>\r\nBDAT 3 LAST\r\nabc"sv,
    // JSON-RPC: lines, and behind its length; over HTTP, and GraphQL and Elasticsearch there
    "{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"id\":1}\n"sv,
    "Content-Length: 39\r\n\r\n{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"id\":1}\n"sv,
    "POST /rpc HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 90\r\n\r\n{\"jsonrpc\":\"2.0\",\"method\":"sv,
    "POST /graphql HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{\"query\":\""sv,
    "POST /orders/_search HTTP/1.1\r\nUser-Agent: elasticsearch-py/8.15.1\r\nContent-Length: 40\r\n\r\n{\"query\":"sv,
    "GET /a,b/_doc/1 HTTP/1.1\r\nUser-Agent: opensearch-py/2.7.1\r\n\r\n"sv,
};

}  // namespace waggle::protocols::testing
