# SPDX-License-Identifier: Apache-2.0
# The talk's server (tests/e2e/talk.py) with WEBrick: ruby catalog.rb <port>
require 'webrick'

server = WEBrick::HTTPServer.new(BindAddress: '127.0.0.1', Port: Integer(ARGV[0]),
                                 Logger: WEBrick::Log.new(File::NULL), AccessLog: [])
def server.text(path, status, body)
  mount_proc(path) do |_request, response|
    response.status = status
    response.body = body
  end
end
server.text('/hello', 200, 'hello')
server.text('/missing', 404, 'missing')
server.text('/broken', 500, 'broken')
server.text('/big', 200, 'x' * (1 << 20))
server.mount_proc('/echo') { |request, response| response.body = request.body }
{ '/chunked' => %w[one two three], '/stream' => ['y' * (1 << 14)] * 64 }.each do |path, pieces|
  server.mount_proc(path) do |_request, response|
    response.chunked = true
    response.body = proc { |out| pieces.each { |piece| out.write(piece) } }
  end
end
server.start
