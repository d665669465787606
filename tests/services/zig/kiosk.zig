// SPDX-License-Identifier: Apache-2.0
// The talk's server (tests/e2e/talk.py) with std.http: kiosk <port>
const std = @import("std");

const big = "x" ** (1 << 20);
const piece = "y" ** (1 << 14);

pub fn main() !void {
    var arguments = std.process.args();
    _ = arguments.next();
    const port = try std.fmt.parseInt(u16, arguments.next().?, 10);
    const address = try std.net.Address.parseIp("127.0.0.1", port);
    var listener = try address.listen(.{ .reuse_address = true });
    while (true) {
        const connection = try listener.accept();
        const thread = try std.Thread.spawn(.{}, serve, .{connection});
        thread.detach();
    }
}

fn serve(connection: std.net.Server.Connection) void {
    defer connection.stream.close();
    var buffer: [8192]u8 = undefined;
    var server = std.http.Server.init(connection, &buffer);
    while (server.state == .ready) {
        var request = server.receiveHead() catch return;
        answer(&request) catch return;
    }
}

fn is(path: []const u8, wanted: []const u8) bool {
    return std.mem.eql(u8, path, wanted);
}

fn answer(request: *std.http.Server.Request) !void {
    const target = request.head.target;
    const path = target[0 .. std.mem.indexOfScalar(u8, target, '?') orelse target.len];
    if (is(path, "/hello")) return request.respond("hello", .{});
    if (is(path, "/missing")) return request.respond("missing", .{ .status = .not_found });
    if (is(path, "/broken")) return request.respond("broken", .{ .status = .internal_server_error });
    if (is(path, "/big")) return request.respond(big, .{});
    if (is(path, "/chunked")) return chunks(request, &.{ "one", "two", "three" });
    if (is(path, "/stream")) return chunks(request, &(.{piece} ** 64));
    const body = try (try request.reader()).readAllAlloc(std.heap.page_allocator, 2 << 20);
    defer std.heap.page_allocator.free(body);
    return request.respond(body, .{});
}

fn chunks(request: *std.http.Server.Request, pieces: []const []const u8) !void {
    var buffer: [4096]u8 = undefined;
    var response = request.respondStreaming(.{ .send_buffer = &buffer });
    for (pieces) |each| {
        try response.writeAll(each);
        try response.flush();
    }
    try response.end();
}
