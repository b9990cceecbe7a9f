# Django settings of graphite-web, found through GRAPHITE_SETTINGS_MODULE and PYTHONPATH.
SECRET_KEY = 'only-for-tests-on-loopback'
ALLOWED_HOSTS = ['127.0.0.1', 'localhost']
DEBUG = False
TIME_ZONE = 'UTC'
LOG_ROTATION = False

GRAPHITE_ROOT = '/usr/share/graphite-web'
STATIC_ROOT = '/usr/share/graphite-web/static'
CONF_DIR = '{{.Dir}}/conf'
LOG_DIR = '{{.Dir}}/log'
STORAGE_DIR = '{{.Dir}}/storage'
INDEX_FILE = '{{.Dir}}/storage/index'
WHISPER_DIR = '{{.Dir}}/storage/whisper'
STANDARD_DIRS = [WHISPER_DIR]
CARBONLINK_HOSTS = ['127.0.0.1:{{.Query}}:a']
TAGDB = ''
FUNCTION_PLUGINS = []
DATABASES = {
    'default': {
        'ENGINE': 'django.db.backends.sqlite3',
        'NAME': '{{.Dir}}/graphite.db',
        'USER': '', 'PASSWORD': '', 'HOST': '', 'PORT': '',
    },
}
