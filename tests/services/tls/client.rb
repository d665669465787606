# SPDX-License-Identifier: Apache-2.0
# A client by Ruby's own net/http: each line of its input is a port, a certificate and a path.
require 'net/https'

connections = {}
STDIN.each_line do |line|
  port, certificate, path = line.split
  connections[port] ||= Net::HTTP.start('127.0.0.1', port.to_i, use_ssl: true, ca_file: certificate)
  connections[port].get(path).body == 'hello' or exit 1
end
