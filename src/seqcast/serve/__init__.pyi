from .app import create_app as create_app
from .keys import entry_of as entry_of
from .keys import new_key as new_key
from .run import address_of as address_of
from .run import listen as listen
from .run import serve as serve
from .run import server_of as server_of
from .settings import ServerSettings as ServerSettings
