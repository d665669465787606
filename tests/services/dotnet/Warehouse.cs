// SPDX-License-Identifier: Apache-2.0
// The talk's server (tests/e2e/talk.py) on asynchronous sockets: dotnet warehouse.dll <port>. HttpListener would
// want a version of OpenSSL that distributions no longer have.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Threading.Tasks;

class Warehouse
{
    static readonly Dictionary<string, Tuple<string, byte[]>> Texts = new Dictionary<string, Tuple<string, byte[]>>
    {
        {"/hello", Tuple.Create("200 OK", Bytes("hello"))},
        {"/missing", Tuple.Create("404 Not Found", Bytes("missing"))},
        {"/broken", Tuple.Create("500 Internal Server Error", Bytes("broken"))},
        {"/big", Tuple.Create("200 OK", new byte[1 << 20])},
    };

    static readonly Dictionary<string, IEnumerable<string>> Pieces = new Dictionary<string, IEnumerable<string>>
    {
        {"/chunked", new[] {"one", "two", "three"}},
        {"/stream", Enumerable.Repeat(new string('y', 1 << 14), 64)},
    };

    readonly NetworkStream stream;
    readonly List<byte> pending = new List<byte>();

    Warehouse(Socket socket) { stream = new NetworkStream(socket, true); }

    static byte[] Bytes(string text) { return Encoding.ASCII.GetBytes(text); }

    static void Main(string[] arguments)
    {
        var listener = new TcpListener(IPAddress.Loopback, int.Parse(arguments[0]));
        listener.Start();
        Accept(listener).Wait();
    }

    static async Task Accept(TcpListener listener)
    {
        for (;;)
        {
            var ignored = new Warehouse(await listener.AcceptSocketAsync()).Serve();
        }
    }

    async Task<bool> ReadMore()
    {
        var buffer = new byte[16384];
        var size = await stream.ReadAsync(buffer, 0, buffer.Length);
        pending.AddRange(buffer.Take(size));
        return size > 0;
    }

    async Task<byte[]> Take(int size)
    {
        while (pending.Count < size)
            if (!await ReadMore()) throw new EndOfStreamException();
        var taken = pending.GetRange(0, size).ToArray();
        pending.RemoveRange(0, size);
        return taken;
    }

    async Task<string> ReadHead()
    {
        for (;;)
        {
            var end = Encoding.ASCII.GetString(pending.ToArray()).IndexOf("\r\n\r\n");
            if (end >= 0) return Encoding.ASCII.GetString(await Take(end + 4));
            if (!await ReadMore()) return null;
        }
    }

    async Task Serve()
    {
        using (stream)
            for (string head; (head = await ReadHead()) != null;)
                await Answer(head);
    }

    async Task Answer(string head)
    {
        var lines = head.Split("\r\n");
        var path = lines[0].Split(' ')[1].Split('?')[0];
        var length = lines.FirstOrDefault(line => line.ToLower().StartsWith("content-length:"));
        var body = await Take(length == null ? 0 : int.Parse(length.Split(':')[1]));
        if (Pieces.ContainsKey(path))
        {
            await Write(Bytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"));
            foreach (var piece in Pieces[path]) await Write(Bytes(piece.Length.ToString("x") + "\r\n" + piece + "\r\n"));
            await Write(Bytes("0\r\n\r\n"));
            return;
        }
        var status = "200 OK";
        if (path != "/echo")
        {
            var text = Texts[path];
            status = text.Item1;
            body = text.Item2;
        }
        await Write(Bytes("HTTP/1.1 " + status + "\r\nContent-Length: " + body.Length + "\r\n\r\n"));
        if (!head.StartsWith("HEAD")) await Write(body);
    }

    async Task Write(byte[] bytes) { await stream.WriteAsync(bytes, 0, bytes.Length); }
}
