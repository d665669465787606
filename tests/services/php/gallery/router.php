<?php
// SPDX-License-Identifier: Apache-2.0
// The talk's server (tests/e2e/talk.py) in PHP's built-in server: php -S 127.0.0.1:<port> router.php
$texts = ['/hello' => [200, 'hello'], '/missing' => [404, 'missing'], '/broken' => [500, 'broken'],
          '/big' => [200, str_repeat('x', 1 << 20)]];
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if ($path === '/echo') {
    $texts[$path] = [200, file_get_contents('php://input')];
}
$pieces = ['/chunked' => ['one', 'two', 'three'], '/stream' => array_fill(0, 64, str_repeat('y', 1 << 14))];
if (isset($pieces[$path])) {
    // Nothing here chunks by itself: the frame is the program's.
    header('Transfer-Encoding: chunked');
    foreach ($pieces[$path] as $piece) {
        printf("%x\r\n%s\r\n", strlen($piece), $piece);
        flush();
    }
    echo "0\r\n\r\n";
} else {
    [$status, $body] = $texts[$path];
    http_response_code($status);
    header('Content-Length: ' . strlen($body));
    echo $body;
}
