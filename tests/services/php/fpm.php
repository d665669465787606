<?php
// SPDX-License-Identifier: Apache-2.0
// What php-fpm is asked for in tests: the path says how it answers.
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
$body = file_get_contents('php://input');
header('Content-Type: text/plain');
if ($path === '/fpm/missing') {
    http_response_code(404);
    echo 'nothing';
} elseif ($path === '/fpm/moved') {
    header('Location: /fpm/hello');
} elseif ($path === '/fpm/fails') {
    error_log('something is wrong');
    http_response_code(500);
    echo 'sorry';
} elseif ($path === '/fpm/big') {
    for ($i = 0; $i < 30; ++$i) echo str_repeat('x', 10000);
} elseif ($path === '/fpm/upload') {
    echo strlen($body);
} else {
    echo 'hello';
}
