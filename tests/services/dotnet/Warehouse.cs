// SPDX-License-Identifier: Apache-2.0
// The talk's server (tests/e2e/talk.py) by HttpListener: dotnet warehouse.dll <port>
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net;
using System.Text;
using System.Threading.Tasks;

class Warehouse
{
    static readonly Dictionary<string, Tuple<int, byte[]>> Texts = new Dictionary<string, Tuple<int, byte[]>>
    {
        {"/hello", Tuple.Create(200, Bytes("hello"))},
        {"/missing", Tuple.Create(404, Bytes("missing"))},
        {"/broken", Tuple.Create(500, Bytes("broken"))},
        {"/big", Tuple.Create(200, new byte[1 << 20])},
    };

    static readonly Dictionary<string, IEnumerable<string>> Pieces = new Dictionary<string, IEnumerable<string>>
    {
        {"/chunked", new[] {"one", "two", "three"}},
        {"/stream", Enumerable.Repeat(new string('y', 1 << 14), 64)},
    };

    static byte[] Bytes(string text) { return Encoding.ASCII.GetBytes(text); }

    static void Main(string[] arguments)
    {
        var listener = new HttpListener();
        listener.Prefixes.Add("http://127.0.0.1:" + arguments[0] + "/");
        listener.Start();
        Console.WriteLine("listening");
        Accept(listener).Wait();
    }

    static async Task Accept(HttpListener listener)
    {
        for (;;)
        {
            var ignored = Answer(await listener.GetContextAsync());
        }
    }

    static async Task Answer(HttpListenerContext context)
    {
        var response = context.Response;
        var path = context.Request.Url.AbsolutePath;
        if (Pieces.ContainsKey(path))
        {
            response.SendChunked = true;
            foreach (var piece in Pieces[path]) await response.OutputStream.WriteAsync(Bytes(piece), 0, piece.Length);
        }
        else
        {
            var body = new MemoryStream();
            if (path == "/echo") await context.Request.InputStream.CopyToAsync(body);
            else await body.WriteAsync(Texts[path].Item2, 0, Texts[path].Item2.Length);
            response.StatusCode = path == "/echo" ? 200 : Texts[path].Item1;
            response.ContentLength64 = body.Length;
            if (context.Request.HttpMethod != "HEAD") await response.OutputStream.WriteAsync(body.ToArray(), 0, (int)body.Length);
        }
        response.Close();
    }
}
