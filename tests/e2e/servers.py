# SPDX-License-Identifier: ISC
"""Every web server that has a configuration in etc/, with that configuration as
`postern config` prints it. The server runs in the foreground as a child process.
A Site has the methods of gateway.Gateway.

The files around those of etc/ contain only what the server needs to run here:
address, folders, modules.
"""
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile

import canary
import gateway

ETC = os.path.join(gateway.ROOT, "etc")
PROGRAMS = ("login", "query", "logout", "session", "authorize")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MODULES = "/etc/apache2/mods-available"

# The modules that are enabled after installing Debian's apache2. All others are
# those that the files of etc/apache/ name in their a2enmod lines.
DEFAULT_MODULES = """
    mpm_event authz_core authz_host authn_core auth_basic access_compat
    authn_file authz_user alias dir autoindex env mime negotiation setenvif
    filter deflate status reqtimeout""".split()

LIGHTTPD = """
server.bind = "127.0.0.1"
server.port = {port}
server.document-root = "{folder}/www"
server.tag = "lighttpd"
server.errorlog = "/dev/stderr"
accesslog.filename = "{folder}/access"
server.upload-dirs = ( "{folder}" )
{user}
index-file.names = ( "index.html" )
mimetype.assign = ( ".html" => "text/html; charset=utf-8",
                    ".css" => "text/css; charset=utf-8",
                    ".js" => "text/javascript; charset=utf-8" )
server.modules = ( "mod_setenv", "mod_accesslog" )
setenv.set-environment = ( "PATH" => "{folder}/bin:/usr/bin:/bin" )
include "{folder}/postern-settings.conf"
var.postern_environment += (
{environment})
include "{folder}/{rules}"
include "{folder}/postern-members.conf"

"""

APACHE = """
ServerRoot "{folder}"
ServerName localhost
Listen 127.0.0.1:{port}
PidFile "{folder}/apache.pid"
ErrorLog "/dev/stderr"
CustomLog "{folder}/access" "%r %{{Referer}}i %>s %{{Location}}o"
Mutex file:{folder}
{user}
Define APACHE_RUN_DIR "{folder}"
{load}
<Directory />
    Require all denied
    AllowOverride None
</Directory>
DocumentRoot "{folder}/www"
<Directory "{folder}/www">
    Require all granted
</Directory>
Include "{folder}/postern-settings.conf"
Include "{folder}/{rules}"
{environment}
Include "{folder}/postern-members.conf"
"""

NGINX = """
daemon off;
master_process on;
worker_processes 2;
error_log stderr warn;
pid {folder}/nginx.pid;
{user}
events {{ worker_connections 512; }}
http {{
    access_log {folder}/access;
    include /etc/nginx/mime.types;
    client_body_temp_path {folder}/t1;
    proxy_temp_path {folder}/t2;
    fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4;
    scgi_temp_path {folder}/t5;
    include {folder}/postern-http.conf;
    server {{
        listen 127.0.0.1:{port};
        server_name localhost;
        root {folder}/www;
        index index.html;
        include {folder}/postern-server.conf;
        location ^~ /members/ {{
            include {folder}/postern-members.conf;
            location ~ \\.php$ {{
                include {folder}/postern-members.conf;
                include {folder}/postern-page.conf;
                fastcgi_pass unix:{folder}/php.sock;
            }}
            location ~ \\.cgi$ {{
                include {folder}/postern-members.conf;
                include {folder}/postern-page.conf;
                fastcgi_pass unix:{folder}/cgi.sock;
            }}
        }}
    }}
}}
"""

PHP = """
[global]
error_log = /dev/stderr
daemonize = no
[www]
{user}
listen = {folder}/php.sock
pm = static
pm.max_children = 2
"""


class Site(gateway.Gateway):
    """One web server with Postern's four programs and with protected pages below
    /members/."""

    name = rules = None
    has_origin = False  # keep POSTERN_ORIGIN of the settings file
    is_streaming = True

    def __init__(self, backend, with_pages=False, secret=None, **variables):
        # Not Gateway's own __init__: it starts demo/lighttpd.conf.
        self.backend, self.kind = backend, self.name
        self.folder = tempfile.mkdtemp(prefix="postern-site-")
        self.secret = secret or gateway.make_secret()
        self.private, self.received = {self.secret.strip()}, []
        self.port = gateway.free_port()
        self.authorizer_port = gateway.free_port()
        self.with_pages = with_pages
        self.environment = self._environment(variables)
        self.environment["PATH"] = f"{self.folder}/bin:{PATH}"
        self.log_file = open(os.path.join(self.folder, "log"), "a+b")
        self.helpers = []
        self.process = None
        self._make_folder()
        self._change_owner()
        gateway.running.append(self)
        self.start_helpers()
        self.process = self.spawn(self.command())
        if not gateway.wait_until(self._answers_or_ends, 30) or (
                self.process.poll() is not None):
            log = self.log
            self.close(check=False)
            raise AssertionError(f"{self.name} does not answer:\n{log}")

    # The files in the folder.

    def _make_folder(self):
        programs = os.path.join(self.folder, "programs")
        os.mkdir(programs)
        for program in PROGRAMS:
            shutil.copy(os.path.join(gateway.BUILD, "cgi-bin", program),
                        programs)
        os.mkdir(os.path.join(self.folder, "bin"))
        shutil.copy(gateway.POSTERN, os.path.join(self.folder, "bin"))
        shutil.copytree(os.path.join(ETC, "examples"),
                        os.path.join(self.folder, "www/members"))
        with open(os.path.join(self.folder, "www/index.html"), "w",
                  encoding="ascii") as file:
            file.write("<!DOCTYPE html><title>open</title>")
        os.mkdir(os.path.join(self.folder, "store"), 0o700)
        os.mkdir(os.path.join(self.folder, "socks"))  # for Debian's cgid.conf
        for name in self.files():
            self.write(name, self.etc_file(name))
        self.write("main.conf", self.main())
        self.write("php.conf", PHP.format(
            folder=self.folder,
            user="user = www-data\ngroup = www-data\n"
            "listen.owner = www-data\nlisten.group = www-data" if is_root() else ""))

    def etc_file(self, name):
        """A file of etc/ as `postern config` prints it for this folder."""
        server = self.name.partition("-")[0]
        done = subprocess.run(
            [gateway.POSTERN, "config", server, name,
             "--programs", os.path.join(self.folder, "programs"),
             "--sockets", self.folder,
             "--secret", os.path.join(self.folder, "secret"),
             "--php", os.path.join(self.folder, "php.sock"),
             "--upstream", self.backend.url,
             "--origin", f"http://localhost:{self.port}"],
            stdout=subprocess.PIPE, check=True, timeout=30)
        text = done.stdout.decode()
        # Most tests set the origin themselves, or leave it to the server.
        return text if self.has_origin else re.sub(
            r"^ *[^# ].*POSTERN_(ENV_)?ORIGIN.*\n", "", text, flags=re.M)

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w",
                  encoding="utf-8") as file:
            file.write(text)

    def _change_owner(self):
        """Servers that root starts run as www-data."""
        if not is_root():
            return
        owner = pwd.getpwnam("www-data")
        for where, folders, files in os.walk(self.folder):
            for name in [".", *folders, *files]:
                os.chown(os.path.join(where, name), owner.pw_uid, owner.pw_gid)

    def extra_variables(self):
        """The variables that are not in the settings file."""
        return {name: value for name, value in self.environment.items()
                if name not in ("COOKIE_SESSION_SECRET_FILE",
                                "POSTERN_UPSTREAM", "PATH")}

    def _answers_or_ends(self):
        return self.process.poll() is not None or self._answers()

    # Processes.

    def spawn(self, command, **options):
        return subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                stdout=self.log_file, stderr=self.log_file,
                                cwd=self.folder, env={
                                    "PATH": f"{self.folder}/bin:{PATH}",
                                    **gateway.SANITIZER_ENVIRONMENT,
                                    **options.pop("environment", {})},
                                **options)

    def start_program(self, program, address):
        self.helpers.append(self.spawn(
            [os.path.join(self.folder, "programs", program),
             "--listen", address], environment=self.environment,
            **as_server()))
        assert gateway.wait_until(lambda: is_listening(address), 20), self.log

    def start_helpers(self):
        if not self.with_pages:
            return
        self.helpers.append(self.spawn(
            ["php-fpm8.2" if shutil.which("php-fpm8.2", path=PATH)
             else "php-fpm", "-F", "-y", os.path.join(self.folder, "php.conf"),
             "-p", self.folder]))
        path = f"unix:{self.folder}/php.sock"
        assert gateway.wait_until(lambda: is_listening(path), 20), self.log

    def stop(self):
        left = super().stop() if self.process else {}
        for helper in reversed(self.helpers):
            if helper.poll() is None:
                helper.send_signal(signal.SIGTERM)
        for helper in self.helpers:
            try:
                helper.wait(15)
            except subprocess.TimeoutExpired:
                helper.kill()
                left[helper.pid] = helper.args[0]
                helper.wait(10)
        return left

    def program_faults(self):
        return super().program_faults() + [
            fault for helper in self.helpers
            if os.path.basename(helper.args[0]) in PROGRAMS
            for fault in canary.search_process(
                helper.pid, os.path.basename(helper.args[0]), self.secrets)]

    def faults(self):
        # Apache logs the SIGTERM that it sends to its own children.
        return [fault for fault in super().faults()
                if "'child exited'" not in fault]


def is_root():
    return os.geteuid() == 0


def as_server():
    """Popen arguments that run a process as the server's user."""
    return {"user": "www-data", "group": "www-data",
            "extra_groups": []} if is_root() else {}


def is_listening(address):
    try:
        if address.startswith("unix:"):
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(address[5:])
        else:
            host, port = address.rsplit(":", 1)
            socket.create_connection((host, int(port)), 5).close()
        return True
    except OSError:
        return False


def quoted(text):
    return '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"')


class Lighttpd(Site):
    name, rules = "lighttpd", "postern.conf"

    def files(self):
        return ("postern-settings.conf", self.rules, "postern-members.conf")

    def etc_file(self, name):
        # breakagelog is one file for the whole server: use stderr here.
        return super().etc_file(name).replace("/var/log/lighttpd/breakage",
                                            "/dev/stderr")

    def main(self):
        return LIGHTTPD.format(
            port=self.port, folder=self.folder, rules=self.rules,
            user=('server.username = "www-data"\n'
                  'server.groupname = "www-data"' if is_root() else ""),
            environment="".join(f"    {quoted(n)} => {quoted(v)},\n"
                                for n, v in self.extra_variables().items()))

    def command(self):
        return ["lighttpd", "-D", "-f", os.path.join(self.folder, "main.conf")]


class LighttpdCgi(Lighttpd):
    name, rules = "lighttpd-cgi", "postern-cgi.conf"


class Apache(Site):
    name, rules = "apache", "postern-proxy.conf"

    def files(self):
        return ("postern-settings.conf", self.rules, "postern-members.conf")

    def main(self):
        return APACHE.format(
            port=self.port, folder=self.folder, rules=self.rules,
            user="User www-data\nGroup www-data" if is_root() else "",
            load="\n".join(f"Include {MODULES}/{name}.load\n"
                           f"IncludeOptional {MODULES}/{name}.con[f]"
                           for name in self.modules()),
            environment=f"SetEnv PATH {quoted(self.environment['PATH'])}\n"
            + self.settings())

    def modules(self):
        """Debian's default modules and those of the a2enmod lines, each after the
        modules that it depends on."""
        found = {}

        def enable(name):
            with open(f"{MODULES}/{name}.load", encoding="utf-8") as file:
                for line in re.findall(r"^# Depends: (.*)$", file.read(), re.M):
                    for other in line.split():
                        enable(other)
            found[name] = True

        for name in DEFAULT_MODULES:
            enable(name)
        for name in self.files():
            with open(os.path.join(self.folder, name),
                      encoding="utf-8") as file:
                for line in re.findall(r"^#   a2enmod ([a-z_ ]+)$",
                                       file.read(), re.M):
                    for module in line.split():
                        enable(module)
        return list(found)

    def etc_file(self, name):
        text = super().etc_file(name)
        return text.replace("127.0.0.1:9700",
                            f"127.0.0.1:{self.authorizer_port}")

    def settings(self):
        return ""

    def start_helpers(self):
        super().start_helpers()
        self.start_program("authorize", f"127.0.0.1:{self.authorizer_port}")

    def command(self):
        return ["apache2", "-D", "FOREGROUND", "-d", self.folder,
                "-f", os.path.join(self.folder, "main.conf")]


class ApacheProxy(Apache):
    name = "apache-proxy"

    def start_helpers(self):
        super().start_helpers()
        for program in PROGRAMS[:4]:
            self.start_program(program, f"unix:{self.folder}/{program}.sock")


class ApacheFolder(ApacheProxy):
    """The protection is in a <Directory>, as postern-members.conf suggests. The
    files have a second URL, by a rewrite rule."""
    name = "apache-folder"

    def etc_file(self, name):
        folder = f'"{self.folder}/www/members"'
        return (super().etc_file(name)
                .replace('<Location "/members">', f"<Directory {folder}>")
                .replace("</Location>\n\n# The protection",
                         "</Directory>\n\n# The protection"))

    def main(self):
        return super().main() + (
            f"Include {MODULES}/rewrite.load\nRewriteEngine on\n"
            f'RewriteRule "^/old/(.*)" "{self.folder}/www/members/$1" [L]\n')


class LighttpdNamed(Lighttpd):
    name = "lighttpd-named"

    def main(self):
        return super().main() + 'server.name = "localhost"\n'


class ApacheNamed(ApacheProxy):
    name = "apache-named"

    def main(self):
        return super().main().replace(
            "ServerName localhost\n",
            f"ServerName localhost:{self.port}\nUseCanonicalName On\n")


class ApacheFcgid(Apache):
    name, rules = "apache-fcgid", "postern-fcgid.conf"

    def settings(self):
        return (f"FcgidIPCDir {quoted(self.folder)}\n"
                f"FcgidProcessTableFile {quoted(self.folder + '/fcgid')}\n"
                + "".join(f"FcgidInitialEnv {n} {quoted(v)}\n"
                          for n, v in self.extra_variables().items()))


class ApacheCgid(Apache):
    name, rules = "apache-cgid", "postern-cgid.conf"

    def settings(self):
        return (f'<Directory "{self.folder}/programs">\n'
                + "".join(f"    SetEnv {n} {quoted(v)}\n"
                          for n, v in self.extra_variables().items())
                + "</Directory>\n")


class Nginx(Site):
    name = "nginx"

    def files(self):
        return ("postern-http.conf", "postern-server.conf",
                "postern-params.conf", "postern-members.conf",
                "postern-page.conf")

    def etc_file(self, name):
        return super().etc_file(name).replace(
            "include snippets/", f"include {self.folder}/")

    def main(self):
        return NGINX.format(port=self.port, folder=self.folder,
                            user="user www-data;" if is_root() else "")

    def start_helpers(self):
        super().start_helpers()
        for program in PROGRAMS:
            self.start_program(program, f"unix:{self.folder}/{program}.sock")
        if self.with_pages:
            self.start_scripts()

    def start_scripts(self):
        """nginx runs no CGI scripts itself."""
        path = f"unix:{self.folder}/cgi.sock"
        self.helpers.append(self.spawn(
            [shutil.which("fcgiwrap", path=PATH), "-s", path], **as_server()))
        assert gateway.wait_until(lambda: is_listening(path), 20), self.log

    def command(self):
        return ["nginx", "-p", self.folder,
                "-c", os.path.join(self.folder, "main.conf")]


class NginxFresh(Nginx):
    """A new connection for each request. The `keepalive` line is removed too:
    with it, nginx keeps a connection that the program closes, and sometimes
    sends the next request on it (502)."""
    name = "nginx-fresh"

    def etc_file(self, name):
        text = super().etc_file(name).replace("fastcgi_keep_conn on;",
                                            "fastcgi_keep_conn off;")
        return re.sub(r"keepalive [0-9]+; ?", "", text)


ALL = (Lighttpd, LighttpdCgi, ApacheProxy, ApacheFcgid, ApacheCgid, Nginx,
       NginxFresh)
