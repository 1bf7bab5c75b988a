# SPDX-License-Identifier: ISC
"""The configurations of the three web servers. Each has one port for each target
(targets.py), so that one process tree serves all targets of a server. What the
etc/ files say about Postern is taken from there, or is the same here."""

import os

from provider import CLIENT, SECRET

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
KEPT = 100000  # requests on one connection of a client
TOKEN = "tok_bare000000000000000000000"

NGINX = """
daemon off;
worker_processes 2;
worker_rlimit_nofile 8192;
error_log stderr error;
pid {folder}/nginx.pid;
{user}
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests {kept};
    client_body_temp_path {folder}/t1;
    proxy_temp_path {folder}/t2;
    fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4;
    scgi_temp_path {folder}/t5;
    upstream backend {{ server 127.0.0.1:{backend}; keepalive 256;
                        keepalive_requests {kept}; }}
    {upstreams}
    server {{
        listen 127.0.0.1:{bare} backlog=4096;
        location / {{
            proxy_pass http://backend;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Authorization "Bearer {token}";
        }}
    }}
    {servers}
}}
"""

NGINX_PROGRAM = """
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            include {folder}/{params};
            fastcgi_param SCRIPT_NAME $uri;
            fastcgi_param CONTENT_TYPE $content_type;
            fastcgi_param CONTENT_LENGTH $content_length;
            fastcgi_pass {address};
        }}
    }}
"""

NGINX_PAGE = """
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            auth_request /postern/authorize;
            empty_gif;
        }}
        location = /postern/authorize {{
            internal;
            include {folder}/{params};
            fastcgi_param SCRIPT_NAME /postern/authorize;
            fastcgi_param AUTH_REQUEST $request_uri;
            fastcgi_pass_request_body off;
            fastcgi_pass {address};
        }}
    }}
"""

LIGHTTPD = """
server.modules = ( "mod_setenv", "mod_proxy", "mod_fastcgi" )
server.bind = "127.0.0.1"
server.port = {bare}
server.document-root = "{folder}"
server.errorlog = "/dev/stderr"
server.upload-dirs = ( "{folder}" )
server.max-fds = 8192
server.max-keep-alive-requests = {kept}
{user}
$SERVER["socket"] == "127.0.0.1:{bare}" {{
    setenv.set-request-header = ( "Authorization" => "Bearer {token}" )
    proxy.server = ( "" => (( "host" => "127.0.0.1", "port" => {backend} )) )
}}
$SERVER["socket"] == "127.0.0.1:{query}" {{
    server.stream-response-body = 1
    fastcgi.server = ( "/query" => ((
        "socket" => "{folder}/query.sock", "check-local" => "disable" )) )
}}
"""

APACHE = """
ServerRoot "{folder}"
ServerName localhost
PidFile "{folder}/apache.pid"
DefaultRuntimeDir "{folder}"
ErrorLog "/dev/stderr"
LogLevel error
Mutex pthread
{user}
{modules}
ServerLimit 4
ThreadsPerChild 64
MaxRequestWorkers 256
MaxKeepAliveRequests 0
Listen 127.0.0.1:{bare}
Listen 127.0.0.1:{query}
Listen 127.0.0.1:{openidc}
<VirtualHost 127.0.0.1:{bare}>
    RequestHeader set Authorization "Bearer {token}"
    ProxyPass / http://127.0.0.1:{backend}/ keepalive=On
</VirtualHost>
<VirtualHost 127.0.0.1:{query}>
    <Proxy "unix:{folder}/query.sock|fcgi://postern-query">
        ProxySet connectiontimeout=5 timeout=90 flushpackets=on enablereuse=on
    </Proxy>
    <Location "/query">
        SetHandler "proxy:unix:{folder}/query.sock|fcgi://postern-query"
        CGIPassAuth On
    </Location>
</VirtualHost>
<VirtualHost 127.0.0.1:{openidc}>
    OIDCProviderMetadataURL {provider}/.well-known/openid-configuration
    OIDCProviderTokenEndpointAuth client_secret_basic
    OIDCClientID {client}
    OIDCClientSecret {secret}
    OIDCIDTokenSignedResponseAlg HS256
    OIDCRedirectURI http://127.0.0.1:{openidc}/redirect
    OIDCCryptoPassphrase {secret}
    OIDCScope openid
    OIDCSessionType client-cookie
    OIDCSessionInactivityTimeout 3600
    OIDCPassClaimsAs environment
    <Location "/">
        AuthType openid-connect
        OIDCUnAuthAction 401
        Require valid-user
        RequestHeader unset Cookie
        RequestHeader set Authorization "expr=Bearer %{{env:OIDC_access_token}}"
    </Location>
    <Location "/login">
        OIDCUnAuthAction auth
    </Location>
    ProxyPass /redirect !
    ProxyPass / http://127.0.0.1:{backend}/ keepalive=On
</VirtualHost>
"""
APACHE_FOLDER = "/usr/lib/apache2/modules"
APACHE_MODULES = ("mpm_event authn_core authz_core authz_user env headers proxy "
                  "proxy_http proxy_fcgi auth_openidc").split()


def write(folder, name, text):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        file.write(text)
    return os.path.join(folder, name)


def write_nginx(folder, ports, user):
    """ports: of the targets, by name."""
    with open(os.path.join(ROOT, "etc/nginx/postern-params.conf"),
              encoding="utf-8") as file:
        params = file.read()
    write(folder, "kept.conf", params)
    write(folder, "fresh.conf", params.replace(
        "fastcgi_keep_conn on", "fastcgi_keep_conn off"))
    upstreams, servers = "", ""
    for name in ("floor", "query", "redis", "logged", "authorize"):
        upstreams += (f"upstream {name} {{ server unix:{folder}/{name}.sock; "
                      "keepalive 256; }\n    ")
    for target, template, params, address in (
            ("floor-kept", NGINX_PROGRAM, "kept.conf", "floor"),
            ("floor", NGINX_PROGRAM, "fresh.conf", f"unix:{folder}/floor.sock"),
            ("query-kept", NGINX_PROGRAM, "kept.conf", "query"),
            ("query", NGINX_PROGRAM, "fresh.conf", f"unix:{folder}/query.sock"),
            ("query-redis", NGINX_PROGRAM, "kept.conf", "redis"),
            ("query-logged", NGINX_PROGRAM, "kept.conf", "logged"),
            ("authorize", NGINX_PAGE, "kept.conf", "authorize"),
            ("login", NGINX_PROGRAM, "fresh.conf", f"unix:{folder}/login.sock")):
        servers += template.format(folder=folder, port=ports[target],
                                   params=params, address=address)
    path = write(folder, "nginx.conf", NGINX.format(
        folder=folder, user="user www-data;" if user else "", kept=KEPT,
        backend=ports["backend"], bare=ports["nginx"], token=TOKEN,
        upstreams=upstreams, servers=servers))
    return ["nginx", "-p", folder, "-e", "stderr", "-c", path]


def write_lighttpd(folder, ports, user):
    path = write(folder, "lighttpd.conf", LIGHTTPD.format(
        folder=folder, kept=KEPT, token=TOKEN, backend=ports["backend"],
        bare=ports["lighttpd"], query=ports["query-lighttpd"],
        user=('server.username = "www-data"\nserver.groupname = "www-data"'
              if user else "")))
    return ["lighttpd", "-D", "-f", path]


def write_apache(folder, ports, user, provider):
    path = write(folder, "apache.conf", APACHE.format(
        folder=folder, token=TOKEN, backend=ports["backend"],
        bare=ports["apache"], query=ports["query-apache"],
        openidc=ports["openidc"], provider=provider, client=CLIENT,
        secret=SECRET, user="User www-data\nGroup www-data" if user else "",
        modules="\n".join(f"LoadModule {name}_module {APACHE_FOLDER}/mod_{name}.so"
                          for name in APACHE_MODULES)))
    return ["apache2", "-D", "FOREGROUND", "-d", folder, "-f", path]
