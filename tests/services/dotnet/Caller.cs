// SPDX-License-Identifier: Apache-2.0
// A client of HTTPS by HttpClient, whose connections go from thread to thread: for each line "port certificate path" a request.
using System;
using System.Net.Http;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

class Caller
{
    static X509Certificate2 trusted;

    static void Main()
    {
        using (new HMACSHA256()) { }  // loads OpenSSL, before anything is asked for
        var handler = new HttpClientHandler();
        handler.ServerCertificateCustomValidationCallback = (request, shown, chain, errors) => shown.Equals(trusted);
        var client = new HttpClient(handler);
        string line;
        while ((line = Console.ReadLine()) != null)
        {
            var words = line.Split(' ');
            trusted = new X509Certificate2(words[1]);
            Console.WriteLine(client.GetStringAsync("https://127.0.0.1:" + words[0] + words[2]).Result);
        }
    }
}
