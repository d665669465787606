<?php
// SPDX-License-Identifier: Apache-2.0
// A client by PHP's own streams: each line of its input is a port, a certificate and a path.
while (($line = fgets(STDIN)) !== false) {
    [$port, $certificate, $path] = explode(' ', trim($line));
    $context = stream_context_create(['ssl' => ['cafile' => $certificate], 'http' => ['protocol_version' => '1.1', 'header' => 'Connection: close']]);
    file_get_contents("https://127.0.0.1:$port$path", false, $context) === 'hello' or exit(1);
}
