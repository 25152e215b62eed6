package sqlprobe

import "testing"

func TestIsOf(t *testing.T) {
	for _, tt := range []struct {
		function, module string
		want             bool
	}{
		{"example.com/shop/orders.List", "example.com/shop", true},
		{"example.com/shop.main", "example.com/shop", true},
		{"example.com/shop_test.TestList", "example.com/shop", true},
		{"example.com/shop/orders.(*Store).List.func1", "example.com/shop", true},
		{"example.com/shopping.List", "example.com/shop", false},
		{"gorm.io/gorm.(*DB).Find", "example.com/shop", false},
		{"gopkg.in/shop%2ev2.List", "gopkg.in/shop.v2", true},
		{"gopkg.in/shop.v2/orders.List", "gopkg.in/shop.v2", true},
		{"shop.main", "shop", true},
		{"example.com/shop.List", "", false},
	} {
		if got := isOf(tt.function, tt.module); got != tt.want {
			t.Errorf("%s is of %q: %v, want %v", tt.function, tt.module, got, tt.want)
		}
	}
}

func TestTheModuleIsKnown(t *testing.T) {
	if got := mine(); got != "github.com/backend-kata/dojo" {
		t.Errorf("these are the tests of module %q", got)
	}
}
