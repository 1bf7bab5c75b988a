<?php
// A PHP page for users who have logged in; checks the session with libpostern
// through FFI. Outside the command line, PHP needs ffi.enable=true in its
// php.ini, or this file preloaded.
declare(strict_types=1);

$postern = FFI::cdef('
    struct pst_settings {
        size_t size; const char *secrets; const char *audience;
        const char *cookie_name; const char *cookie_domain;
        const char *cookie_path; const char *same_site;
        uint32_t flags; uint32_t reserved;
        int64_t idle; int64_t lifetime; int64_t remember; int64_t guest;
        void *clock; void *clock_context;
    };
    struct pst_visitor {
        size_t size; int64_t since; int64_t expires; int64_t idle_expires;
        char subject[257]; char name[257]; char claims[1025];
        bool remember; bool guest;
    };
    int pst_sessions_new(void **sessions, const struct pst_settings *settings,
                         const char **reason);
    void pst_sessions_free(void **sessions);
    int pst_check(const void *sessions, const char *cookie,
                  struct pst_visitor *visitor);
    const char *pst_strerror(int code);
', 'libpostern.so.0');

$secrets = (string) getenv('COOKIE_SESSION_SECRET');
$bytes = FFI::new('char[' . (strlen($secrets) + 1) . ']');
FFI::memcpy($bytes, $secrets . "\0", strlen($secrets) + 1);
$settings = $postern->new('struct pst_settings');
$settings->size = FFI::sizeof($settings);
$settings->secrets = $postern->cast('char *', FFI::addr($bytes));
$visitor = $postern->new('struct pst_visitor');
$visitor->size = FFI::sizeof($visitor);
$sessions = $postern->new('void *');
$reason = $postern->new('char *');

$code = $postern->pst_sessions_new(FFI::addr($sessions), FFI::addr($settings), FFI::addr($reason));
if ($code === 0) {
    $code = $postern->pst_check($sessions, $_SERVER['HTTP_COOKIE'] ?? null, FFI::addr($visitor));
    $postern->pst_sessions_free(FFI::addr($sessions));
} else {
    error_log('libpostern: ' . FFI::string($reason));
}
if ($code !== 0) {
    header('Location: /login', true, 303);
    exit("Please log in.\n");
}

header('Content-Type: text/plain; charset=utf-8');
header('Cache-Control: private, no-cache');
echo 'Hello, ', FFI::string($visitor->name), "\n";
