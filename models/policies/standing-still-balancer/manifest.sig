{"keyId":"1841948a09bf478b","signature":"AqQLgdsmlUT4ZvEbSVW9Sasq9pDsdIomMknR8899C9SlY93mN5yXfMR3zPi0AduQwCI46qbuNgYi2Sfvjyi4Bg=="}
