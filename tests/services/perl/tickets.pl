#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The talk's server (tests/e2e/talk.py) with HTTP::Daemon, a process per connection: perl tickets.pl <port>
use strict;
use warnings;
use HTTP::Daemon;
use HTTP::Response;

$SIG{CHLD} = 'IGNORE';
my %texts = ('/hello' => [200, 'hello'], '/missing' => [404, 'missing'], '/broken' => [500, 'broken'],
             '/big' => [200, 'x' x (1 << 20)]);
my $daemon = HTTP::Daemon->new(LocalAddr => '127.0.0.1', LocalPort => $ARGV[0], ReuseAddr => 1) or die $!;
while (my $connection = $daemon->accept) {
    if (fork) { close $connection; next; }
    while (my $request = $connection->get_request) {
        my $path = $request->uri->path;
        my @pieces = $path eq '/stream' ? ('y' x (1 << 14)) x 64 : ('one', 'two', 'three');
        my ($status, $body) = @{$texts{$path} || [200, $request->content]};
        $body = sub { shift @pieces // '' } if $path eq '/chunked' or $path eq '/stream';
        my $response = HTTP::Response->new($status, 'Said', ['Content-Type' => 'text/plain'], $body);
        $connection->send_response($response);
    }
    exit 0;
}
