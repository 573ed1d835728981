"""What every web application of the product needs: errors, security headers, forms, limits, texts, templates."""
