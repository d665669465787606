%% SPDX-License-Identifier: Apache-2.0
%% The talk's server (tests/e2e/talk.py) with inets' httpd: erl -s weather start <port> <folder>
-module(weather).
-export([start/1, do/1]).
-include_lib("inets/include/httpd.hrl").

start([Port, Folder]) ->
    {ok, _} = application:ensure_all_started(inets),
    {ok, _} = inets:start(httpd, [{port, list_to_integer(atom_to_list(Port))},
                                  {bind_address, {127, 0, 0, 1}}, {server_name, "weather"},
                                  {server_root, atom_to_list(Folder)},
                                  {document_root, atom_to_list(Folder)}, {modules, [?MODULE]}]).

do(#mod{method = "HEAD"}) ->
    {proceed, [{response, {response, [{code, 200}, {content_length, "5"}], []}}]};
do(#mod{request_uri = Uri} = Request) ->
    case hd(string:split(Uri, "?")) of
        "/hello" -> say(200, "hello");
        "/missing" -> say(404, "missing");
        "/broken" -> say(500, "broken");
        "/big" -> say(200, binary:copy(<<"x">>, 1 bsl 20));
        "/echo" -> say(200, Request#mod.entity_body);
        "/chunked" -> chunked(Request, ["one", "two", "three"]);
        "/stream" -> chunked(Request, lists:duplicate(64, binary:copy(<<"y">>, 1 bsl 14)))
    end.

say(Status, Body) ->
    Head = [{code, Status}, {content_type, "text/plain"},
            {content_length, integer_to_list(iolist_size(Body))}],
    {proceed, [{response, {response, Head, [Body]}}]}.

chunked(Request, Pieces) ->
    httpd_response:send_header(Request, 200, [{transfer_encoding, "chunked"}]),
    [httpd_response:send_chunk(Request, Piece, false) || Piece <- Pieces],
    httpd_response:send_final_chunk(Request, false),
    {proceed, [{response, {already_sent, 200, iolist_size(Pieces)}}]}.
