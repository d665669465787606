# SPDX-License-Identifier: Apache-2.0
# The talk's server (tests/e2e/talk.py) as a Rack application.
texts = { '/hello' => [200, 'hello'], '/missing' => [404, 'missing'], '/broken' => [500, 'broken'],
          '/big' => [200, 'x' * (1 << 20)] }
run lambda { |env|
  case env['PATH_INFO']
  when '/echo' then [200, {}, [env['rack.input'].read]]
  when '/chunked' then [200, {}, %w[one two three].each]
  when '/stream' then [200, {}, (['y' * (1 << 14)] * 64).each]
  else
    status, body = texts[env['PATH_INFO']]
    [status, { 'content-length' => body.length.to_s }, env['REQUEST_METHOD'] == 'HEAD' ? [] : [body]]
  end
}
